import autocannon from 'autocannon';
import type { Destination, LoadResult } from './load.js';
import { parseRequest } from './messages.js';

/** The closed loop by autocannon. A number of calls, not a time: at the end of a time it would break off what is under way. */
export async function byAutocannon({ port, request }: Destination, callers: number, amount: number): Promise<LoadResult> {
  const { path, headers, body } = parseRequest(request);
  const latencies: number[] = [];
  const startedAt = performance.now();
  const run = autocannon({ url: `http://127.0.0.1:${port}${path}`, method: 'POST', headers, body, connections: callers, amount });
  run.on('response', (_client, _status, _bytes, milliseconds) => latencies.push(milliseconds));
  const { requests, non2xx, errors } = await run;
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    calls: requests.total,
    failures: new Map(non2xx + errors > 0 ? [[0, non2xx + errors]] : []),
    seconds,
    latencies: Float64Array.from(latencies).sort(),
  };
}
