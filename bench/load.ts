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
  /** How many of them were not answered with 200, by status. */
  failures: Map<number, number>;
  seconds: number;
  /** In ms, ascending. */
  latencies: Float64Array;
}

class Tally {
  private readonly latencies: number[] = [];
  private readonly startedAt = performance.now();
  private readonly failures = new Map<number, number>();

  readonly add = (milliseconds: number, status: number): void => {
    this.latencies.push(milliseconds);
    if (status !== 200) this.failures.set(status, (this.failures.get(status) ?? 0) + 1);
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
      const answered = (milliseconds: number, status: number) => {
        tally.add(milliseconds, status);
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
    const caller = callers.find(({ busy }) => !busy) ?? new Caller(port, request);
    if (!callers.includes(caller)) callers.push(caller);
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
