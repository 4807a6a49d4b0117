import { setTimeout as delay } from 'node:timers/promises';
import { Caller } from './caller.js';

/** Where a workload is sent. */
export interface Destination {
  port: number;
  /** The whole call. */
  request: Buffer;
}

export interface LoadResult {
  /** Calls answered, whatever the answer. */
  calls: number;
  /** Those of them that were not answered with 200. */
  failures: number;
  seconds: number;
  /** In ms, ascending. */
  latencies: Float64Array;
}

class Tally {
  private readonly latencies: number[] = [];
  private readonly startedAt = performance.now();
  private failures = 0;

  readonly add = (milliseconds: number, ok: boolean): void => {
    this.latencies.push(milliseconds);
    if (!ok) this.failures++;
  };

  result(): LoadResult {
    const seconds = (performance.now() - this.startedAt) / 1000;
    return { calls: this.latencies.length, failures: this.failures, seconds, latencies: Float64Array.from(this.latencies).sort() };
  }
}

/** Closed loop: each caller sends its next call when the one before is answered. Every call that was sent is waited for. */
export async function closedLoop({ port, request }: Destination, callers: number, seconds: number): Promise<LoadResult> {
  const tally = new Tally();
  const until = performance.now() + seconds * 1000;
  const run = (caller: Caller) =>
    new Promise<void>((resolve) => {
      const answered = (milliseconds: number, ok: boolean) => {
        tally.add(milliseconds, ok);
        if (performance.now() < until) return caller.call(answered);
        caller.close();
        resolve();
      };
      caller.call(answered);
    });
  await Promise.all(Array.from({ length: callers }, () => run(new Caller(port, request))));
  return tally.result();
}

/** Open loop: a call every so often, whether or not those before are answered. */
export async function steadyLoad({ port, request }: Destination, rate: number, seconds: number): Promise<LoadResult> {
  const tally = new Tally();
  const callers: Caller[] = [];
  const startedAt = performance.now();
  for (let sent = 0; sent < rate * seconds; sent++) {
    const wait = startedAt + (sent * 1000) / rate - performance.now();
    if (wait > 0) await delay(wait);
    let caller = callers.find(({ busy }) => !busy);
    if (!caller) callers.push((caller = new Caller(port, request)));
    caller.call(tally.add);
  }
  while (callers.some(({ busy }) => busy)) await delay(1);
  for (const caller of callers) caller.close();
  return tally.result();
}

/** The latency that this share of the calls did not exceed. */
export function quantile(latencies: Float64Array, share: number): number {
  return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
}
