import { type Destination, type LoadResult, quantile } from './load.js';
import type { Options } from './options.js';
import type { Measurement, Row } from './report.js';
import type { Contestant, Kind } from './stage.js';

type Load = (destination: Destination, seconds: number) => Promise<LoadResult>;

/** Warms the contestants up in turns too, then measures one after the other, round by round: what disturbs the machine disturbs all of them. */
export async function inTurns(
  contestants: Contestant[],
  kind: Kind,
  { rounds, seconds, warmUpSeconds }: Options,
  load: Load,
): Promise<Row[]> {
  for (let warmed = 0; warmed < warmUpSeconds; warmed += seconds) {
    for (const contestant of contestants) await load(contestant.destination(kind), Math.min(seconds, warmUpSeconds - warmed));
  }
  const rows = contestants.map(({ name }) => ({ name, rounds: [] as Measurement[] }));
  for (let round = 0; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      rows[index]!.rounds.push(await measureOnce(contestant, () => load(contestant.destination(kind), seconds)));
    }
  }
  return rows;
}

async function measureOnce({ name, cpu, postgresCpu }: Contestant, load: () => Promise<LoadResult>): Promise<Measurement> {
  const before = { cpu: cpu(), postgres: postgresCpu() };
  const { calls, failures, seconds, latencies } = await load();
  for (const [status, count] of failures)
    throw new Error(`${name} answered ${count} of ${calls} calls with ${status || 'a broken connection'}`);
  const used = cpu() - before.cpu;
  return {
    callsPerSecond: calls / seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    cpu: used / calls,
    core: used / seconds / 1e4,
    postgres: (postgresCpu() - before.postgres) / calls,
  };
}
