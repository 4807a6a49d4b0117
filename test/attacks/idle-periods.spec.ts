import type { Pool } from 'pg';
import { RetentionRepository } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { BudgetsRepository } from '../../src/quotas/budgets.repository.js';
import { BudgetsService } from '../../src/quotas/budgets.service.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';

let database: TestDatabase;
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let budgets: BudgetsService;
let retention: RetentionRepository;

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 8, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
  budgets = new BudgetsService(new BudgetsRepository(pool));
  retention = new RetentionRepository(pool);
});

afterEach(async () => {
  expect(await brokenInvariants(db)).toEqual([]);
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

const TERMS = { limit: 1_000n, timezone: 'UTC', mode: 'deny', externalId: null, metadata: {} };
const create = (tenantId: string, periodKind: string, scopeKind = 'tenant', scopeValue = tenantId, mode = 'deny') =>
  budgets.create({ ...TERMS, tenantId, scopeKind, scopeValue, periodKind, mode } as Parameters<BudgetsService['create']>[0]);
async function spend(tenantId: string, amount: bigint, scopes?: { kind: string; value: string }[]): Promise<void> {
  const request = holdRequest(tenantId, amount, scopes ?? [{ kind: 'tenant', value: tenantId }]);
  expect(await ledger.hold(tenantId, [request])).toMatchObject([{ verdict: 'held' }]);
  await ledger.settle(encoded([settlement(request.id, amount)]));
}
const count = async (table: string) => Number((await db.query(`SELECT count(*) AS count FROM ${table}`)).rows[0].count);

test('budgets that nobody uses write nothing, whatever their period, however often the worker comes; readers see the period that is now', async () => {
  const tenant = await insertTenant(db, []);
  const minute = await create(tenant, 'minute');
  for (const kind of ['hour', 'day', 'week', 'month', 'year', 'lifetime']) await create(tenant, kind);
  for (const by of [0, 1, 2, 90, 1_440, 44_640]) {
    await moveClock(db, `${by} minutes`);
    expect(await budgets.rollPeriods()).toEqual([]);
    const current = (await budgets.current(tenant, [minute])).get(minute.id)!;
    const { now } = (await db.query<{ now: Date }>('SELECT weir_now() AS now')).rows[0]!;
    expect(current).toMatchObject({ id: null, limit: 1_000n, spent: 0n, held: 0n });
    expect(current.startsAt.getTime()).toBeLessThanOrEqual(now.getTime());
    expect(current.endsAt!.getTime() - current.startsAt.getTime()).toBe(60_000);
    expect(current.endsAt!.getTime()).toBeGreaterThan(now.getTime());
  }
  expect([await count('budget_periods'), await count('outbox'), await count('budget_statements')]).toEqual([0, 0, 0]);
  expect(await budgets.untilNextBoundary()).toBeNull();
});

test('a minute budget that is used once and then left alone has two periods a month later, and one statement that tells what was spent', async () => {
  const tenant = await insertTenant(db, []);
  await create(tenant, 'minute');
  await spend(tenant, 7n);
  for (let minutes = 1; minutes <= 40; minutes++) {
    await moveClock(db, `${minutes} minutes`);
    await budgets.rollPeriods();
  }
  await moveClock(db, '31 days');
  await budgets.rollPeriods();
  expect(await count('budget_periods')).toBe(2);
  const { rows } = await db.query('SELECT spent, calls FROM budget_statements WHERE spent > 0');
  expect(rows).toEqual([{ spent: 7n, calls: 1n }]);
});

test('after an outage a tenant with very many periods does not make another wait, and one whose periods cannot be rolled stops nobody', async () => {
  const [hostile, broken, quiet] = [await insertTenant(db, []), await insertTenant(db, []), await insertTenant(db, [])];
  await create(hostile, 'minute', 'session', '*');
  await create(broken, 'hour');
  await create(quiet, 'hour');
  for (let i = 0; i < 40; i++)
    await spend(
      hostile,
      1n,
      Array.from({ length: 5 }, (_, n) => ({ kind: 'session', value: `${i}-${n}` })),
    );
  await spend(broken, 1n);
  await spend(quiet, 1n);
  await moveClock(db, '2 hours');
  await db.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''broken''; END'`);
  await db.query(
    `CREATE TRIGGER refuse BEFORE UPDATE OF closed_at ON budget_periods FOR EACH ROW WHEN (OLD.tenant_id = '${broken}') EXECUTE FUNCTION refuse()`,
  );
  // One after the other by the time they ended, the quiet tenant's would be the last of two hundred.
  const order: string[] = [];
  const { roll } = BudgetsRepository.prototype;
  class Watched extends BudgetsRepository {
    override async roll(tenantId: string) {
      const step = await roll.call(this, tenantId);
      if (step.length > 0) order.push(tenantId);
      return step;
    }
  }
  await expect(new BudgetsService(new Watched(pool)).rollPeriods()).rejects.toThrow('broken');
  expect(order.indexOf(quiet)).toBeLessThan(3);
  expect(order.filter((tenant) => tenant === hostile)).toHaveLength(200);
  await db.query('DROP TRIGGER refuse ON budget_periods');
});

test('old periods, statements, events and idle counters go; lifetime, rolling, open and unsettled ones stay, and the audit holds', async () => {
  const tenant = await insertTenant(db, []);
  await create(tenant, 'minute');
  await create(tenant, 'month');
  await create(tenant, 'lifetime');
  await budgets.create({
    ...TERMS,
    tenantId: tenant,
    scopeKind: 'tenant',
    scopeValue: tenant,
    periodKind: 'rolling',
    windowSeconds: 3_600,
  });
  await create(tenant, 'lifetime', 'session', '*', 'observe');
  await db.query(
    `INSERT INTO limits (tenant_id, id, scope_kind, scope_value, requests_per_minute) VALUES ($1, gen_random_uuid(), 'session', '*', 9)`,
    [tenant],
  );
  await spend(tenant, 7n);
  await spend(tenant, 0n, [{ kind: 'session', value: 'free' }]);
  await spend(tenant, 3n, [{ kind: 'session', value: 'paid' }]);
  const open = holdRequest(tenant, 5n);
  await ledger.hold(tenant, [open]);
  expect(await count('limit_counters')).toBe(2);
  await moveClock(db, '40 days');
  await retention.ensurePartitions();
  await budgets.rollPeriods();
  expect(await retention.purge(10_000)).toMatchObject({ counters: 2, idle_periods: 1, periods: 0 });
  // What is in flight is in the way.
  expect(await count('budget_periods')).toBe(7);
  await ledger.settle(encoded([settlement(open.id, 5n)]));
  await budgets.rollPeriods();
  await moveClock(db, '80 days');
  await retention.ensurePartitions();
  await budgets.rollPeriods();
  const purged = await retention.purge(10_000);
  expect(purged.periods).toBeGreaterThanOrEqual(1);
  expect(purged.events).toBeGreaterThan(0);
  const { rows } = await db.query(
    `SELECT b.period_kind AS kind, p.spent FROM budget_periods p JOIN budgets b ON b.id = p.budget_id WHERE p.spent > 0 ORDER BY 1, 2`,
  );
  expect(rows).toEqual([
    { kind: 'lifetime', spent: 3n },
    { kind: 'lifetime', spent: 12n },
    { kind: 'month', spent: 12n },
    { kind: 'rolling', spent: 12n },
  ]);
});

test('budgets and limits that are made and deleted in a loop leave nothing behind', async () => {
  const tenant = await insertTenant(db, []);
  for (let i = 0; i < 5; i++) {
    const budget = await create(tenant, 'lifetime');
    await spend(tenant, 1n);
    await budgets.delete(tenant, budget.id);
  }
  await moveClock(db, '7 days');
  await retention.purge(10_000);
  expect(await count('budgets')).toBe(5);
  await moveClock(db, '9 days');
  await retention.purge(10_000);
  expect([await count('budgets'), await count('budget_periods')]).toEqual([0, 0]);
});
