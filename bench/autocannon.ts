import autocannon from 'autocannon';
import type { Destination, LoadResult } from './load.js';

/** The closed loop by autocannon. A number of calls, not a time: at the end of a time it would break off what is under way. */
export async function byAutocannon({ port, request }: Destination, callers: number, amount: number): Promise<LoadResult> {
  const latencies: number[] = [];
  const run = autocannon({ url: `http://127.0.0.1:${port}`, connections: callers, amount, ...parseRequest(request) });
  run.on('response', (_client, _status, _bytes, milliseconds) => latencies.push(milliseconds));
  const startedAt = performance.now();
  const { requests, non2xx, errors } = await run;
  const seconds = (performance.now() - startedAt) / 1000;
  return { calls: requests.total, failures: non2xx + errors, seconds, latencies: Float64Array.from(latencies).sort() };
}

function parseRequest(request: Buffer) {
  const [head, body] = request.toString().split('\r\n\r\n') as [string, string];
  const [start, ...lines] = head.split('\r\n') as [string, ...string[]];
  const headers = Object.fromEntries(lines.map((line) => line.split(': ') as [string, string]));
  return { path: start.split(' ')[1]!, method: 'POST' as const, headers, body };
}
