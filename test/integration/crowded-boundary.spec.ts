import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { BudgetsRepository } from '../../src/quotas/budgets.repository.js';
import { BudgetsService } from '../../src/quotas/budgets.service.js';
import { SetClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, settlement } from '../support/ledger.js';
import { Random, sizeOf } from '../support/random.js';
import { eventually } from '../support/weir.js';

jest.setTimeout(3_600_000);

/** All end at the same midnight. */
const BUDGETS = sizeOf('BOUNDARY_BUDGETS', 500);
const CALLS_AT_ONCE = 20;

let database: TestDatabase;
let db: Pool;
let clock: SetClock;
let tenantId: string;
/** Told by the workers, in the order of each. */
let events: { event: string; period_id: bigint }[];
/** What calls spent while periods rolled, by the value of their scope. */
const spent = new Map<string, bigint>();
const verdicts = new Set<string>();

const pool = (name: string) => createPool(database.url, { max: 4, statementTimeoutMs: 10_000, name });
/** Rows of periods that were read so far, by whoever has said so. */
const rowsRead = async (): Promise<number> => {
  await db.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await db.query<{ read: bigint }>(
    `SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS read FROM pg_stat_user_tables WHERE relname = 'budget_periods'`,
  );
  return Number(rows[0]!.read);
};

/** Two workers roll what ended at midnight while calls go on; the tests then look at what is left. */
beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  clock = await SetClock.install(db, new Date('2026-11-20T23:59:59Z'));
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  tenantId = randomUUID();
  await db.query(`INSERT INTO tenants (id, name) VALUES ($1, 'test')`, [tenantId]);
  await db.query(
    `INSERT INTO budgets (tenant_id, id, scope_kind, scope_value, limit_nano, period_kind, timezone, mode, created_at)
     SELECT $1, gen_random_uuid(), 'end_user', n, 1000000, 'day', 'UTC', 'deny', weir_now() FROM generate_series(1, $2::integer) AS s (n)`,
    [tenantId, BUDGETS],
  );
  await db.query(`SELECT ${sqlFunction('ensure_period')}(tenant_id, id, scope_value, weir_now()) FROM budgets`);
  await useAll();
  await db.query('ANALYZE');
  const calling = pool('calls');
  const ledger = new LedgerRepository(calling);
  const random = Random.ofRun('crowded boundary');
  await callSome(ledger, random);
  await clock.move(1);

  const startedAt = performance.now();
  const working = pool('workers');
  const workers = [1, 2].map(() => new BudgetsService(new BudgetsRepository(working)).rollPeriods());
  const times: number[] = [];
  let rolling = true;
  const calls = (async () => {
    for (spent.clear(); rolling; ) times.push(await callSome(ledger, random));
  })();
  events = (await Promise.all(workers)).flat();
  rolling = false;
  const seconds = (performance.now() - startedAt) / 1000;
  await calls;
  await Promise.all([working.end(), calling.end()]);
  times.sort((a, b) => a - b);
  const slowest = times[Math.floor(times.length * 0.99)]!;
  process.stderr.write(
    `${BUDGETS} periods rolled in ${seconds.toFixed(1)} s, ${((seconds * 1000) / BUDGETS).toFixed(2)} ms each; meanwhile ${times.length} batches of ${CALLS_AT_ONCE} holds, median ${times[times.length >> 1]!.toFixed(1)} ms, p99 ${slowest.toFixed(1)} ms\n`,
  );
});

/** Holds and settles on budgets of which each call has its own. Answers how long the holds took, in ms. */
async function callSome(ledger: LedgerRepository, random: Random): Promise<number> {
  const values = new Set(Array.from({ length: CALLS_AT_ONCE }, () => String(random.int(1, BUDGETS))));
  const requests = [...values].map((value) => holdRequest(tenantId, 3n, [{ kind: 'end_user', value }]));
  const startedAt = performance.now();
  const answers = await ledger.hold(tenantId, requests);
  const took = performance.now() - startedAt;
  for (const { verdict } of answers) verdicts.add(verdict);
  await ledger.settle(encoded(requests.map(({ id }) => settlement(id, 2n))));
  for (const value of values) spent.set(value, (spent.get(value) ?? 0n) + 2n);
  return took;
}

/** As if a cent had been granted in every open period: only a budget that was used gets a successor. */
async function useAll(): Promise<void> {
  await db.query('UPDATE budget_periods SET granted = 1 WHERE closed_at IS NULL');
}

afterAll(async () => {
  await db.end();
  await database.drop();
});

test('however many budgets roll at the same moment, each period closes and opens once, with two workers at it', async () => {
  const closed = events.filter(({ event }) => event === 'budget.period_closed').map(({ period_id }) => period_id);
  expect(closed).toHaveLength(BUDGETS);
  expect(new Set(closed).size).toBe(BUDGETS);
  // Those of the second day: some were made by a call, before a worker came to them.
  const opened = await db.query(`SELECT 1 FROM outbox WHERE kind = 'budget.period_opened' AND payload ->> 'starts_at' LIKE '2026-11-21%'`);
  expect(opened.rowCount).toBe(BUDGETS);
  const { rows } = await db.query(
    `SELECT count(*) FILTER (WHERE closed_at IS NULL)::int AS open, count(*) FILTER (WHERE stated)::int AS stated, count(*)::int AS all FROM budget_periods`,
  );
  expect(rows).toEqual([{ open: BUDGETS, stated: BUDGETS, all: 2 * BUDGETS }]);
});

test('calls are admitted meanwhile, and not a nano-dollar of what they spend in the new period is lost', async () => {
  expect(verdicts).toEqual(new Set(['held']));
  expect(spent.size).toBeGreaterThan(0);
  const { rows } = await db.query<{ scope_value: string; spent: bigint }>(
    'SELECT scope_value, spent FROM budget_periods WHERE closed_at IS NULL AND spent <> 0',
  );
  expect(new Map(rows.map((row) => [row.scope_value, row.spent]))).toEqual(spent);
  expect(await brokenInvariants(db)).toEqual([]);
});

test('nobody waits in a circle', async () => {
  const { rows } = await db.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()');
  expect(rows).toEqual([{ deadlocks: 0n }]);
});

test('a worker that has little time leaves the rest to the next, and nothing is told twice', async () => {
  await useAll();
  await clock.move(86_400);
  const worker = pool('hasty');
  const service = new BudgetsService(new BudgetsRepository(worker));
  const first = await service.rollPeriods(1);
  expect(first.length).toBeLessThan(2 * BUDGETS);
  expect(await service.untilNextBoundary()).toBe(0);
  const told = [...first, ...(await service.rollPeriods())].map(({ event, period_id }) => `${event} ${period_id}`);
  expect(new Set(told).size).toBe(2 * BUDGETS);
  expect(told).toHaveLength(2 * BUDGETS);
  await worker.end();
});

test('the work for a period does not grow with the number of those that end together', async () => {
  await useAll();
  await clock.move(86_400);
  const before = await rowsRead();
  const worker = pool('counted');
  await new BudgetsService(new BudgetsRepository(worker)).rollPeriods();
  await worker.end();
  // A connection says what it has read before it leaves the list.
  const isGone = async () => (await db.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'weir-counted'`)).rowCount === 0;
  await eventually(isGone);
  const read = ((await rowsRead()) - before) / BUDGETS;
  process.stderr.write(`${read.toFixed(1)} rows read for each period\n`);
  expect(read).toBeGreaterThan(1);
  expect(read).toBeLessThan(30);
});
