import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { AuditRepository } from '../../src/ledger/audit.repository.js';
import { Auditor } from '../../src/ledger/auditor.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { createLogger, type Logger, Metrics } from '../../src/platform/telemetry/index.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';

/** Calls in the database; half of them at first. */
const CALLS = Number(process.env['WEIR_AUDIT_CALLS'] ?? 120_000);

let database: TestDatabase;
let db: Pool;
/** One connection, so that it can be asked to report what it read. */
let pool: Pool;
let auditor: AuditRepository;

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 1, statementTimeoutMs: 30_000, name: 'test' });
  auditor = new AuditRepository(pool);
});

afterEach(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

/** Settled calls of one tenant within the last ten minutes, all in one period. Each call costs 1. */
async function addCalls(tenant: string, count: number): Promise<void> {
  await db.query(
    `CREATE TEMP TABLE made ON COMMIT DROP AS
       SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || substr(md5(random()::text), 1, 20))::uuid AS id, at,
         (SELECT array_agg(id) FROM budget_periods WHERE tenant_id = '${tenant}' AND closed_at IS NULL) AS periods
       FROM (SELECT now() - n * interval '600 s' / ${count} AS at FROM generate_series(1, ${count}) AS n) s;
     INSERT INTO holds (id, tenant_id, gateway_id, amount, state, period_ids, context, created_at, lease_until, resolved_at)
       SELECT id, '${tenant}', '${tenant}', 1, 'settled', periods, '{}', at, at, at FROM made;
     INSERT INTO calls (tenant_id, id, admitted_at, finished_at, project_id, api_key_id, surface, stream, requested_model, provider, status, http_status, estimated, attempts)
       SELECT '${tenant}', id, at, at, '${tenant}', '${tenant}', 's', false, 'm', 'p', 'completed', 200, false, '[]' FROM made;
     INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, amount, period_ids)
       SELECT '${tenant}', id, 1, 'usage', at, at, 1, periods FROM made;
     UPDATE budget_periods SET spent = spent + ${count} WHERE tenant_id = '${tenant}' AND closed_at IS NULL`,
  );
}

/** Closed periods without entries. */
async function addPeriods(tenant: string, count: number): Promise<void> {
  await db.query(
    `INSERT INTO budget_periods (tenant_id, budget_id, scope_value, starts_at, ends_at, limit_nano, opened_at, closed_at, stated, hard)
     SELECT p.tenant_id, p.budget_id, gen_random_uuid()::text, at, at + interval '1 minute', 5, at, at + interval '1 minute', true, true
     FROM budget_periods p CROSS JOIN (SELECT now() - interval '1 day' - n * interval '1 s' AS at FROM generate_series(1, ${count}) AS n) s
     WHERE p.tenant_id = '${tenant}' AND p.closed_at IS NULL`,
  );
}

/** A tenant with one call in a period that does not end. */
async function insertLong(): Promise<string> {
  const tenant = await insertTenant(db, [{ limit: 1_000_000_000n, period: 'lifetime' }]);
  const request = holdRequest(tenant, 1n);
  const ledger = new LedgerRepository(pool);
  await ledger.hold(randomUUID(), [request]);
  await ledger.settle(encoded([settlement(request.id, 1n)]));
  return tenant;
}

/** Rows and index entries that the connection of the audit has read so far. */
async function rowsRead(): Promise<number> {
  await pool.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await db.query(
    `SELECT (SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables)::float8 AS rows`,
  );
  return Number(rows[0].rows);
}

async function auditOnce() {
  await db.query('ANALYZE holds, calls, ledger_entries, budget_periods');
  const before = await rowsRead();
  const audit = await auditor.audit('recent');
  const rows = (await rowsRead()) - before;
  if (process.env['WEIR_AUDIT_CALLS']) console.info(JSON.stringify({ rows, tookMs: audit.tookMs, checks: audit.checks }));
  return { ...audit, rows };
}

test('a recent audit of twice as much reads no more, takes no statement above a second, and finds what is recent', async () => {
  const tenants = [await insertLong(), await insertLong()];
  const add = async () => {
    for (const tenant of tenants) {
      await addCalls(tenant, CALLS / 4);
      await addPeriods(tenant, CALLS / 12);
    }
  };
  await add();
  const half = await auditOnce();
  await add();
  const whole = await auditOnce();
  expect([half.breaches, whole.breaches]).toEqual([[], []]);
  expect(whole.rows).toBeLessThan(1.25 * half.rows);
  expect(Math.max(...whole.checks.map(({ tookMs }) => tookMs))).toBeLessThan(1_000);

  const small = await insertLong();
  await db.query('UPDATE budget_periods SET spent = spent + 5 WHERE tenant_id = $1', [small]);
  await db.query(
    `INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, amount, period_ids)
     SELECT tenant_id, call_id, attempt, kind, admitted_at + interval '1 ms', booked_at, 0, '{}' FROM ledger_entries
     WHERE tenant_id = $1 ORDER BY admitted_at DESC LIMIT 1`,
    [tenants[0]],
  );
  const { breaches } = await auditor.audit('recent');
  expect(breaches.map(({ invariant }) => invariant)).toEqual(expect.arrayContaining(['I1', 'I5']));
}, 60_000);

test('periods beyond the page of a recent audit have their turn in the next', async () => {
  const tenant = await insertLong();
  await db.query(
    `INSERT INTO budget_periods (tenant_id, budget_id, scope_value, starts_at, ends_at, limit_nano, opened_at, held, hard)
     SELECT tenant_id, budget_id, 's' || n, starts_at, ends_at, 5, starts_at, CASE n WHEN 1100 THEN 7 ELSE 0 END, true
     FROM budget_periods CROSS JOIN generate_series(1, 1200) AS n WHERE tenant_id = $1`,
    [tenant],
  );
  const found: string[][] = [];
  for (let run = 0; run < 5; run++) found.push((await auditor.audit('recent')).breaches.map(({ invariant }) => invariant));
  // Once found, it is looked at each time.
  expect(found).toEqual([[], [], ...Array(3).fill(['I2', 'I3', 'I7'])]);
});

test('an audit that is stopped for its time says so once a minute, and is counted each time', async () => {
  const metrics = new Metrics();
  const lines: string[] = [];
  const log = Object.assign(createLogger('silent'), { error: (_: object, line: string) => lines.push(line) }) as unknown as Logger;
  const watcher = new Auditor(auditor, metrics, log);
  const blocker = await db.connect();
  try {
    await blocker.query('BEGIN; LOCK TABLE ledger_entries IN ACCESS EXCLUSIVE MODE');
    expect(await watcher.watch()).toBeNull();
    // The rest after it is its own test's.
    Object.assign(watcher, { restUntil: 0 });
    expect(await watcher.watch()).toBeNull();
  } finally {
    await blocker.query('ROLLBACK');
    blocker.release();
  }
  expect(lines).toEqual(['the recent audit takes too long, so it was stopped']);
  expect((await metrics.registry.getSingleMetric('weir_audit_timeouts_total')!.get()).values[0]!.value).toBe(2);
});
