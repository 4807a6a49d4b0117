// Measures how fast the ledger holds and settles for one hot tenant, beside a transaction per call. `npm run bench:ledger -- --help`
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { brokenInvariants } from '../test/support/ledger.js';
import { type Contestant, naive, weir } from './ledger/contestants.js';
import { fairnessTable, measureFairness } from './ledger/fairness.js';
import { type Measurement, measure } from './ledger/measure.js';
import { HELP, type Options, readOptions } from './ledger/options.js';
import { table } from './ledger/report.js';
import { type Stage, setUp } from './ledger/stage.js';
import { cpuOf, describeMachine, divideCores, watchOthers } from './machine.js';
import { runProgram } from './program.js';

/** Share of the machine that other programs may take before the figures are in doubt. */
const DISTURBANCE = 0.05;
const PATIENCE_MS = 10_000;

const cleanUp: (() => unknown)[] = [];

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!options) return say(HELP);
  const cores = divideCores();
  say(describeMachine(cores, 'Postgres'));
  const stage = await setUp(cores, cleanUp);
  const others = watchOthers(() => cpuOf(process.pid) + stage.postgresCpu());
  if (options.fairness) {
    const measurements = await measureFairness(stage, options);
    say(
      `999 quiet tenants with ${options.rate} calls a second among them; ${options.seconds} s a run; committed with synchronous_commit on\n`,
    );
    say(fairnessTable(measurements));
  } else {
    await race(stage, options);
  }
  await checkLedger(stage);
  if (others() > DISTURBANCE)
    say(`Other programs took ${Math.round(others() * 100)} % of the machine meanwhile: measure again when it is quiet.`);
}

async function race(stage: Stage, options: Options): Promise<void> {
  const contestants = [weir(stage), ...(options.naive ? [naive(stage)] : [])];
  cleanUp.push(...contestants.map((contestant) => () => contestant.stop()));
  const measurements = await inTurns(contestants, options, stage);
  say(`One tenant, a budget on the tenant, its project and its key; ${options.seconds} s a run; committed with synchronous_commit on\n`);
  say(table(measurements));
}

/** With each number of callers, one contestant after the other. */
async function inTurns(contestants: Contestant[], { callers, seconds, warmUpSeconds }: Options, stage: Stage): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const count of callers) {
    for (const contestant of contestants) {
      await measure(contestant, count, warmUpSeconds, stage);
      await stage.db.query('CHECKPOINT');
      measurements.push(await measure(contestant, count, seconds, stage));
    }
  }
  return measurements;
}

/** Nobody waited in a circle, nothing is held any more, and every period has spent the sum of its entries. @throws Error otherwise */
async function checkLedger({ db }: Stage): Promise<void> {
  const { entries, held, deadlocks, durable } = await whenQuiet(db);
  const broken = await brokenInvariants(db);
  say(`\nbooked: ${entries} calls, held ${held}; deadlocks: ${deadlocks}; broken invariants: ${broken.length}`);
  if (held !== 0n || deadlocks !== 0n || broken.length > 0 || durable !== 'on')
    throw new Error(['the ledger is wrong', ...broken].join('\n'));
}

const COUNTS = `
  SELECT (SELECT count(*) FROM ledger_entries) AS entries, (SELECT sum(abs(held))::bigint FROM budget_periods) AS held,
    (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()), current_setting('synchronous_commit') AS durable`;

/** Holds that were given up are returned a moment later. */
async function whenQuiet(db: Pool) {
  for (const deadline = Date.now() + PATIENCE_MS; ; await delay(100)) {
    const { rows } = await db.query<{ entries: bigint; held: bigint; deadlocks: bigint; durable: string }>(COUNTS);
    if (rows[0]!.held === 0n || Date.now() > deadline) return rows[0]!;
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

runProgram(main, cleanUp);
