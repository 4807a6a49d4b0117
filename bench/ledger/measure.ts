import { quantile } from '../load.js';
import type { Contestant } from './contestants.js';
import type { Stage } from './stage.js';

/** What one contestant did with so many callers. Times in ms. */
export interface Measurement {
  callers: number;
  name: string;
  /** Holds that were settled. */
  pairs: number;
  /** Holds that were given up, because Postgres took too long for them. */
  unconfirmed: number;
  perSecond: number;
  hold: { p50: number; p99: number };
  settle: { p50: number; p99: number };
  /** How much of one core Postgres used, in percent; NaN where there is no /proc. */
  postgresCore: number;
}

/** Closed loop: each caller holds, settles what it held, and begins again. A pair counts when its settlement is committed. */
export async function measure(contestant: Contestant, callers: number, seconds: number, { postgresCpu }: Stage): Promise<Measurement> {
  const holds: number[] = [];
  const settlements: number[] = [];
  let unconfirmed = 0;
  const cpu = postgresCpu();
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  const call = async () => {
    while (performance.now() < until) {
      const asked = performance.now();
      const id = await contestant.hold();
      if (id === null) {
        unconfirmed++;
        continue;
      }
      const held = performance.now();
      await contestant.settle(id);
      holds.push(held - asked);
      settlements.push(performance.now() - held);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const elapsed = (performance.now() - startedAt) / 1000;
  return {
    callers,
    name: contestant.name,
    pairs: holds.length,
    unconfirmed,
    perSecond: holds.length / elapsed,
    hold: quantiles(holds),
    settle: quantiles(settlements),
    postgresCore: (postgresCpu() - cpu) / elapsed / 1e4,
  };
}

function quantiles(times: number[]): { p50: number; p99: number } {
  const sorted = Float64Array.from(times).sort();
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}
