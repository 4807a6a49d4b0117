import type { Pool } from 'pg';
import { newId } from '../../src/kernel/ids.js';
import { AuditRepository, RetentionRepository } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';
import { eventually } from '../support/weir.js';

let database: TestDatabase;
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let retention: RetentionRepository;
let tenant: string;

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  pool = createPool(database.url, { max: 4, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  [ledger, retention] = [new LedgerRepository(pool), new RetentionRepository(pool)];
  await retention.ensurePartitions();
  tenant = await insertTenant(db, [
    { limit: 1_000n, period: 'lifetime' },
    { kind: 'project', value: 'a', limit: 1_000n, period: 'month' },
  ]);
});

afterEach(async () => {
  expect(await brokenInvariants(db)).toEqual([]);
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

/** A call that is held, and booked if it has a cost. Answers its id. */
async function call(cost: bigint | null): Promise<string> {
  const scopes = [
    { kind: 'tenant', value: tenant },
    { kind: 'project', value: 'a' },
  ] as const;
  const request = { ...holdRequest(tenant, 100n, scopes), id: newId() };
  await ledger.hold(tenant, [request]);
  if (cost !== null) await ledger.settle(encoded([settlement(request.id, cost)]));
  return request.id;
}
const count = async (table: string) => Number((await db.query(`SELECT count(*) AS count FROM ${table}`)).rows[0].count);
const months = async () =>
  (await db.query<{ name: string }>(`SELECT relname AS name FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1`)).rows.map(
    (row) => row.name,
  );
const dropAll = async (keep: number) => {
  const dropped: string[] = [];
  for (let month = await retention.dropOldestMonth(keep); month; month = await retention.dropOldestMonth(keep)) dropped.push(month);
  return dropped;
};

test('months that are older than what is kept are dropped, and what each budget spent in them stays provable', async () => {
  await call(60n);
  await call(130n);
  await moveClock(db, '3 months');
  await retention.ensurePartitions();
  await call(7n);
  const before = await months();
  expect(await retention.purgeHolds()).toBe(2);
  expect(await dropAll(12)).toEqual([]);

  await moveClock(db, '5 months');
  await retention.ensurePartitions();
  await retention.purgeHolds();
  const dropped = await dropAll(3);
  expect(dropped.length).toBeGreaterThan(0);
  expect(dropped).toEqual([...dropped].sort());
  expect((await months()).filter((name) => dropped.some((month) => name.endsWith(month)))).toEqual([]);
  expect(before.filter((name) => dropped.some((month) => name.endsWith(month))).length).toBe(2 * dropped.length);
  expect([await count('calls'), await count('ledger_entries')]).toEqual([1, 1]);
  const { rows } = await db.query(
    `SELECT b.period_kind, p.spent, p.archived, p.archived_above, p.archived_cost FROM budget_periods p JOIN budgets b ON b.id = p.budget_id ORDER BY 1, p.starts_at`,
  );
  expect(rows).toEqual([
    { period_kind: 'lifetime', spent: 197n, archived: 190n, archived_above: 30n, archived_cost: 190n },
    { period_kind: 'month', spent: 190n, archived: 190n, archived_above: 30n, archived_cost: 190n },
    { period_kind: 'month', spent: 7n, archived: 0n, archived_above: 0n, archived_cost: 0n },
  ]);
  expect(await dropAll(3)).toEqual([]);
});

test('what was booked late does not count as allowed above a cap, once its month is dropped', async () => {
  await call(130n);
  await db.query(`UPDATE ledger_entries SET kind = 'late' WHERE kind = 'overrun'`);
  await moveClock(db, '5 months');
  await retention.ensurePartitions();
  await retention.purgeHolds();
  expect((await dropAll(3)).length).toBeGreaterThan(0);
  const { rows } = await db.query('SELECT archived, archived_above FROM budget_periods');
  expect(rows).toEqual(rows.map(() => ({ archived: 130n, archived_above: 0n })));
});

test('less than three months are never kept', async () => {
  await expect(retention.dropOldestMonth(2)).rejects.toThrow('at least 3 months are kept, not 2');
  await expect(pool.query(`SELECT ${sqlFunction('drop_oldest_month')}(NULL)`)).rejects.toThrow('at least 3 months');
});

test('who reads or writes goes first: a month that is in use is dropped later, and calls do not wait behind it', async () => {
  const id = await call(60n);
  await moveClock(db, '5 months');
  await retention.ensurePartitions();
  await retention.purgeHolds();
  const reader = await db.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT FROM calls');
  expect(await retention.dropOldestMonth(3)).toBeNull();
  const startedAt = performance.now();
  await Promise.all([retention.dropOldestMonth(3), call(1n), call(1n)]);
  expect(performance.now() - startedAt).toBeLessThan(900);
  expect((await db.query('SELECT FROM calls WHERE id = $1', [id])).rowCount).toBe(1);
  expect((await db.query('SELECT sum(archived)::bigint AS archived FROM budget_periods')).rows).toEqual([{ archived: 0n }]);
  await reader.query('COMMIT');
  reader.release();
  expect((await dropAll(3)).length).toBeGreaterThan(0);
});

test('a month that goes while an audit looks is neither missed nor counted twice by it', async () => {
  await call(60n);
  await moveClock(db, '5 months');
  await retention.ensurePartitions();
  await retention.purgeHolds();
  // The auditor, and nobody else, takes three seconds to read the clock, which is right after its snapshot.
  await db.query(`CREATE OR REPLACE FUNCTION weir_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT now() + interval '5 months' FROM (SELECT CASE WHEN current_setting('application_name') = 'weir-slow' THEN pg_sleep(3) END) AS s $$`);
  const slow = createPool(database.url, { max: 1, statementTimeoutMs: 10_000, name: 'slow' });
  const auditing = new AuditRepository(slow).audit('full');
  await eventually(async () => {
    const asleep = `SELECT FROM pg_stat_activity WHERE application_name = 'weir-slow' AND wait_event = 'PgSleep'`;
    return (await db.query(asleep)).rowCount === 1;
  });
  expect(await dropAll(3)).toEqual([]);
  expect((await auditing).breaches).toEqual([]);
  expect((await dropAll(3)).length).toBeGreaterThan(0);
  await slow.end();
});

test('months are dropped under calls and audits without a deadlock, and nothing is lost', async () => {
  const deadlocks = async () =>
    (await db.query<{ deadlocks: bigint }>('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')).rows[0]!.deadlocks;
  const before = await deadlocks();
  const { month } = (await db.query<{ month: string }>(`SELECT to_char(now() AT TIME ZONE 'UTC', '_YYYY_MM') AS month`)).rows[0]!;
  await call(60n);
  await moveClock(db, '9 months');
  await retention.ensurePartitions();
  await retention.purgeHolds();
  let done = false;
  const traffic = async () => {
    while (!done) await call(0n);
  };
  const audits = async () => {
    while (!done) expect(await brokenInvariants(db)).toEqual([]);
  };
  const drops = (async () => {
    while ((await months()).some((name) => name.endsWith(month))) await retention.dropOldestMonth(3);
    done = true;
  })();
  await Promise.all([traffic(), traffic(), audits(), drops]);
  expect(await deadlocks()).toBe(before);
});

test('holds that were resolved a week ago are removed; one that is open, or was resolved since, stays', async () => {
  const [open, old] = [await call(null), await call(1n)];
  await moveClock(db, '5 days');
  const recent = await call(1n);
  expect(await retention.purgeHolds()).toBe(0);
  await db.query(`UPDATE holds SET lease_until = weir_now() + interval '30 days' WHERE id = $1`, [open]);
  await moveClock(db, '8 days');
  expect(await retention.purgeHolds()).toBe(1);
  const { rows } = await db.query<{ id: string }>('SELECT id FROM holds ORDER BY id');
  expect(rows.map(({ id }) => id)).toEqual([open, recent].sort());
  expect(old).toBeDefined();
  expect(await count('calls')).toBe(2);
});

test('the run-time role can neither drop nor delete by itself', async () => {
  for (const statement of ['DELETE FROM holds', 'DROP TABLE calls_default', 'SELECT isolate_tenants($$calls$$)']) {
    await expect(pool.query(statement)).rejects.toThrow(/permission denied|must be owner/);
  }
});
