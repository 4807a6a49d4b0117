import type { Pool } from 'pg';
import { newId } from '../../src/kernel/ids.js';
import { RetentionRepository } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';
import { sizeOf } from '../support/random.js';
import { eventually, startTestWeir } from '../support/weir.js';

/** Rows that are in the default partition when somebody notices. */
const ROWS = sizeOf('DEFAULT_ROWS', 3_000);

let database: TestDatabase;
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let retention: RetentionRepository;
let tenant: string;

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  pool = createPool(database.url, { max: 4, statementTimeoutMs: 30_000, name: 'test' });
  [ledger, retention] = [new LedgerRepository(pool), new RetentionRepository(pool)];
  await retention.ensurePartitions();
  tenant = await insertTenant(db, [{ limit: 1_000_000n, period: 'lifetime' }]);
});

afterEach(async () => {
  expect(await brokenInvariants(db)).toEqual([]);
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

async function call(): Promise<string> {
  const request = { ...holdRequest(tenant, 2n), id: newId() };
  await ledger.hold(tenant, [request]);
  await ledger.settle(encoded([settlement(request.id, 1n)]));
  return request.id;
}
const inTables = async (parent: string) =>
  (
    await db.query<{ name: string; rows: number }>(
      `SELECT tableoid::regclass::text AS name, count(*)::int AS rows FROM ${parent} GROUP BY 1 ORDER BY 1`,
    )
  ).rows;
const total = async (parent: string) => (await db.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${parent}`)).rows[0]!.rows;

test('rows of months that no worker has made partitions for stop no start, and move to their months while calls go on', async () => {
  await moveClock(db, '7 months');
  await call();
  await moveClock(db, '8 months');
  await call();
  // A clock that jumped.
  await moveClock(db, '20 years');
  await call();
  await moveClock(db, '8 months');
  expect((await inTables('calls')).map(({ name }) => name)).toEqual(['calls_default']);
  await retention.ensurePartitions();

  let done = false;
  let made = 3;
  const traffic = async () => {
    for (; !done; made++) await call();
  };
  const audits = async () => {
    while (!done) expect(await brokenInvariants(db)).toEqual([]);
  };
  const moves = async () => {
    try {
      for (const until = Date.now() + 20_000; Date.now() < until; ) {
        await retention.moveDefaultRows(5_000);
        const names = [...(await inTables('calls')), ...(await inTables('ledger_entries'))].map(({ name }) => name);
        if (!names.some((name) => name.endsWith('_default'))) return;
      }
      throw new Error('rows are still in the default partition');
    } finally {
      done = true;
    }
  };
  await Promise.all([traffic(), traffic(), audits(), moves()]);
  expect([await total('calls'), await total('ledger_entries')]).toEqual([made, made]);
  expect((await inTables('calls')).map(({ name }) => name)).toHaveLength(3);
  expect(await retention.moveDefaultRows(1_000)).toEqual([]);
});

test('very many rows are copied in bounded steps, and readers see each once at every moment', async () => {
  await moveClock(db, '7 months');
  await call();
  await db.query(
    `INSERT INTO calls SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), 'status', 'failed'))).* FROM calls c, generate_series(2, $1::int)`,
    [ROWS],
  );
  const sizes = new Set<number>();
  let done = false;
  const reader = async () => {
    while (!done) sizes.add(await total('calls'));
  };
  // A step is a transaction of its own: nothing is lost where the worker dies in between.
  const died = new RetentionRepository(pool);
  await died.moveDefaultRows(0);
  const reading = reader();
  for (let moved: string[] = []; !moved.some((name) => name.startsWith('calls')); ) moved = await retention.moveDefaultRows(30_000);
  done = true;
  await reading;
  expect([...sizes]).toEqual([ROWS]);
  expect(await inTables('calls')).toEqual([{ name: expect.stringMatching(/^calls_\d{4}_\d\d$/), rows: ROWS }]);
  await db.query(`DELETE FROM calls WHERE status = 'failed'`);
});

test('what was booked stays append-only, under row-level security, and can be dropped with its month', async () => {
  await moveClock(db, '7 months');
  const id = await call();
  await retention.moveDefaultRows(10_000);
  await retention.moveDefaultRows(10_000);
  const [{ name } = { name: '' }] = await inTables('ledger_entries');
  for (const statement of ['UPDATE calls SET status = $$x$$', 'DELETE FROM ledger_entries', `DELETE FROM ${name}`, `SELECT * FROM ${name}`])
    await expect(pool.query(statement)).rejects.toThrow('permission denied');
  for (const [table, key] of [
    ['calls', 'id'],
    ['ledger_entries', 'call_id'],
  ])
    await expect(db.query(`INSERT INTO ${table} SELECT * FROM ${table} WHERE ${key} = $1`, [id])).rejects.toThrow(
      /duplicate key|violates unique/,
    );
  const { rows } = await db.query(
    `SELECT DISTINCT pg_get_expr(relpartbound, oid) AS bound FROM pg_class WHERE relname IN ('calls_default', 'ledger_entries_default')`,
  );
  expect(rows).toEqual([{ bound: 'DEFAULT' }]);
  await moveClock(db, '14 months');
  await retention.purgeHolds();
  const dropped: string[] = [];
  for (let month = await retention.dropOldestMonth(3); month; month = await retention.dropOldestMonth(3)) dropped.push(month);
  expect(dropped).toContain(name.slice(-7));
  expect(await total('calls')).toBe(0);
});

test('a process starts on such a database, and its worker moves the rows', async () => {
  const weir = await startTestWeir();
  const [{ month }] = (await weir.db.query(`SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM') AS month`)).rows as [{ month: string }];
  await weir.db.query(`DROP TABLE calls_${month}, ledger_entries_${month}`);
  await weir.db.query(
    `INSERT INTO calls (tenant_id, id, admitted_at, finished_at, project_id, api_key_id, surface, stream, requested_model, provider, status, http_status, estimated, attempts)
     VALUES (gen_random_uuid(), gen_random_uuid(), now(), now(), gen_random_uuid(), gen_random_uuid(), 's', false, 'm', 'p', 'failed', 500, false, '[]')`,
  );
  await weir.db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  const where = async () =>
    (await weir.db.query<{ name: string }>('SELECT tableoid::regclass::text AS name FROM calls')).rows.map(({ name }) => name);
  expect(await where()).toEqual(['calls_default']);
  const worker = new RetentionRepository(createPool(weir.databaseUrl, { max: 2, statementTimeoutMs: 10_000, name: 'test' }));
  await eventually(async () => {
    await worker.moveDefaultRows(1_000);
    return (await where())[0] === `calls_${month}`;
  }, 10_000);
  await weir.stop();
});
