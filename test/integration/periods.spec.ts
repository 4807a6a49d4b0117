import type { Pool } from 'pg';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { BudgetsRepository } from '../../src/quotas/budgets.repository.js';
import { BudgetsService } from '../../src/quotas/budgets.service.js';
import { moveClock, SetClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';

let database: TestDatabase;
let db: Pool;
let pool: Pool;

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 8, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
});

afterEach(async () => {
  expect(await brokenInvariants(db)).toEqual([]);
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

const budgets = () => new BudgetsService(new BudgetsRepository(pool));
const newBudget = async (period: string, timezone = 'UTC') => {
  const tenantId = await insertTenant(db, []);
  return budgets().create({
    tenantId,
    scopeKind: 'tenant',
    scopeValue: tenantId,
    limit: 100n,
    periodKind: period,
    timezone,
    mode: 'deny',
    externalId: null,
    metadata: {},
  });
};
/** A call that cost this much. */
async function spend(tenantId: string, amount = 10n): Promise<void> {
  const ledger = new LedgerRepository(pool);
  const request = holdRequest(tenantId, amount);
  expect(await ledger.hold(tenantId, [request])).toMatchObject([{ verdict: 'held' }]);
  await ledger.settle(encoded([settlement(request.id, amount)]));
}
const events = async () =>
  (
    await db.query<{ kind: string; starts_at: string }>(
      `SELECT kind, payload ->> 'starts_at' AS starts_at FROM outbox WHERE kind LIKE 'budget.period_%' ORDER BY id`,
    )
  ).rows;

test('a new budget is in a period at once; the first call that is held makes it, and that is told once', async () => {
  const budget = await newBudget('day');
  const current = async () => (await budgets().current(budget.tenantId, [budget])).get(budget.id);
  const before = await current();
  expect(before).toMatchObject({ id: null, limit: 100n, spent: 0n, held: 0n });
  await budgets().rollPeriods();
  expect(await events()).toEqual([]);
  await spend(budget.tenantId);
  expect(await current()).toMatchObject({ id: expect.any(BigInt), startsAt: before!.startsAt, endsAt: before!.endsAt, spent: 10n });
  await budgets().rollPeriods();
  expect((await events()).map((event) => event.kind)).toEqual(['budget.period_opened']);
});

test('when the clock passes the boundary the old period closes and the next opens, once, also when 32 workers come at once', async () => {
  const budget = await newBudget('day');
  await spend(budget.tenantId);
  await moveClock(db, '1 day');
  await Promise.all(Array.from({ length: 32 }, () => budgets().rollPeriods()));
  await budgets().rollPeriods();
  expect((await events()).map((event) => event.kind)).toEqual(['budget.period_opened', 'budget.period_closed', 'budget.period_opened']);
  const [current, previous] = await budgets().periods(budget.tenantId, budget.id, 10);
  expect(current).toMatchObject({ startsAt: previous!.endsAt, closedAt: null });
  expect(previous!.closedAt).not.toBeNull();
});

test('a worker that comes early changes nothing', async () => {
  await newBudget('hour');
  const before = await events();
  await budgets().rollPeriods();
  expect(await events()).toEqual(before);
});

test('after a downtime of three periods the one that was used is closed and the current one opened; a budget that nobody uses writes nothing', async () => {
  const used = await newBudget('day');
  const idle = await newBudget('day');
  await spend(used.tenantId);
  await moveClock(db, '3 days');
  await budgets().rollPeriods();
  const told = await events();
  expect(told.map((event) => event.kind)).toEqual(['opened', 'closed', 'opened'].map((kind) => `budget.period_${kind}`));
  const [current] = await budgets().periods(used.tenantId, used.id, 1);
  expect(new Date(told.at(-1)!.starts_at)).toEqual(current!.startsAt);
  await moveClock(db, '9 days');
  await budgets().rollPeriods();
  await budgets().rollPeriods();
  const rows = async (id: string) => (await db.query('SELECT 1 FROM budget_periods WHERE budget_id = $1', [id])).rowCount;
  expect([await rows(used.id), await rows(idle.id)]).toEqual([2, 0]);
});

test('a call may spend in the new period before any worker has opened it; a call held before settles in the old one', async () => {
  const budget = await newBudget('day');
  const ledger = new LedgerRepository(pool);
  const early = holdRequest(budget.tenantId, 100n);
  await ledger.hold(budget.id, [early]);
  await moveClock(db, '1 day');
  const late = holdRequest(budget.tenantId, 70n);
  expect(await ledger.hold(budget.id, [late])).toMatchObject([{ verdict: 'held', remaining: 30n }]);
  await ledger.settle(encoded([settlement(early.id, 90n), settlement(late.id, 50n)]));
  await budgets().rollPeriods();
  expect(await budgets().periods(budget.tenantId, budget.id, 10)).toMatchObject([
    { spent: 50n, held: 0n },
    { spent: 90n, held: 0n },
  ]);
  expect((await events()).map((event) => event.kind)).toEqual(['budget.period_opened', 'budget.period_opened', 'budget.period_closed']);
});

test('a new limit holds for the next call, and never below what is spent', async () => {
  const budget = await newBudget('month');
  const ledger = new LedgerRepository(pool);
  const verdict = async (amount: bigint) => (await ledger.hold(budget.id, [holdRequest(budget.tenantId, amount)]))[0]!.verdict;
  expect(await verdict(80n)).toBe('held');
  await budgets().update(budget.tenantId, budget.id, { limit: 50n }, 1);
  expect(await verdict(1n)).toBe('busy');
  await budgets().update(budget.tenantId, budget.id, { limit: 200n }, 2);
  expect(await verdict(120n)).toBe('held');
  await expect(budgets().update(budget.tenantId, budget.id, { limit: 1n }, 2)).rejects.toMatchObject({ code: 'precondition_failed' });
});

test('a new time zone takes effect with the next period, which begins where the old one ends, also where nothing was spent', async () => {
  const clock = await SetClock.install(db, new Date('2026-11-20T12:00:00Z'));
  const budget = await newBudget('day');
  await budgets().update(budget.tenantId, budget.id, { timezone: 'Asia/Tokyo' }, null);
  const [old] = await budgets().periods(budget.tenantId, budget.id, 1);
  expect(old!.endsAt).toEqual(new Date('2026-11-21T00:00:00Z'));
  await clock.move(86_400 / 2);
  await budgets().rollPeriods();
  const [next] = await budgets().periods(budget.tenantId, budget.id, 10);
  expect(next).toMatchObject({ startsAt: old!.endsAt, endsAt: new Date('2026-11-21T15:00:00Z') });
});

test('a reset brings spent to zero by an entry of its own', async () => {
  const budget = await newBudget('month');
  const ledger = new LedgerRepository(pool);
  const request = holdRequest(budget.tenantId, 100n);
  await ledger.hold(budget.id, [request]);
  await ledger.settle(encoded([settlement(request.id, 100n)]));
  expect(await budgets().reset(budget.tenantId, budget.id, 'akey_1', 'new quarter')).toMatchObject({ spent: 0n });
  const { rows } = await db.query(`SELECT amount, actor, reason FROM ledger_entries WHERE kind = 'manual'`);
  expect(rows).toEqual([{ amount: -100n, actor: 'akey_1', reason: 'new quarter' }]);
  expect((await ledger.hold(budget.id, [holdRequest(budget.tenantId, 100n)]))[0]!.verdict).toBe('held');
});

test('a reset of a period that nobody has opened yet opens it, and no entry belongs to nothing', async () => {
  const budget = await newBudget('day');
  const ledger = new LedgerRepository(pool);
  const request = holdRequest(budget.tenantId, 100n);
  await ledger.hold(budget.id, [request]);
  await ledger.settle(encoded([settlement(request.id, 100n)]));
  await moveClock(db, '1 day');
  expect(await budgets().reset(budget.tenantId, budget.id, 'akey_1', null)).toMatchObject({ spent: 0n });
  const periods = await budgets().periods(budget.tenantId, budget.id, 10);
  expect(periods).toMatchObject([{ spent: 0n }, { spent: 100n }]);
  const { rows } = await db.query(`SELECT amount, period_ids FROM ledger_entries WHERE kind = 'manual'`);
  expect(rows).toEqual([{ amount: 0n, period_ids: [periods[0]!.id] }]);
});

test('a deleted budget no longer denies, opens no further period, and still takes settlements', async () => {
  const budget = await newBudget('day');
  const ledger = new LedgerRepository(pool);
  const request = holdRequest(budget.tenantId, 100n);
  await ledger.hold(budget.id, [request]);
  await budgets().delete(budget.tenantId, budget.id);
  expect((await ledger.hold(budget.id, [holdRequest(budget.tenantId, 500n)]))[0]).toMatchObject({ verdict: 'held', remaining: null });
  await ledger.settle(encoded([settlement(request.id, 40n)]));
  await moveClock(db, '2 days');
  await budgets().rollPeriods();
  expect(await budgets().periods(budget.tenantId, budget.id, 10)).toMatchObject([{ spent: 40n, held: 0n, closedAt: expect.any(Date) }]);
});

test('a budget that is deleted and made again begins anew; what the old one held settles there', async () => {
  const old = await newBudget('day');
  const ledger = new LedgerRepository(pool);
  const request = holdRequest(old.tenantId, 100n);
  await ledger.hold(old.id, [request]);
  await budgets().delete(old.tenantId, old.id);
  const fresh = await budgets().create({ ...old, anchor: null, windowSeconds: undefined, metadata: {} });
  await ledger.settle(encoded([settlement(request.id, 90n)]));
  expect(await ledger.hold(old.id, [holdRequest(old.tenantId, 100n)])).toMatchObject([{ verdict: 'held', remaining: 0n }]);
  expect(await budgets().periods(old.tenantId, fresh.id, 10)).toMatchObject([{ spent: 0n, held: 100n }]);
  const { rows } = await db.query('SELECT spent, held FROM budget_periods WHERE budget_id = $1', [old.id]);
  expect(rows).toEqual([{ spent: 90n, held: 0n }]);
});

test('a limit that changes under 64 calls at once lets no more through than its highest, and the last holds for the next call', async () => {
  const budget = await newBudget('month');
  const ledger = new LedgerRepository(pool);
  const ask = async () => {
    const request = holdRequest(budget.tenantId, 10n);
    const [answer] = await ledger.hold(budget.id, [request]);
    return answer!.verdict === 'held' ? request.id : null;
  };
  const change = async () => {
    for (const limit of [50n, 200n, 30n, 150n, 0n]) await budgets().update(budget.tenantId, budget.id, { limit }, null);
  };
  const [asked] = await Promise.all([Promise.all(Array.from({ length: 64 }, ask)), change()]);
  const held = asked.filter((id) => id !== null);
  expect(held.length).toBeLessThanOrEqual(20);
  expect(await ask()).toBeNull();
  await ledger.settle(encoded(held.map((id) => settlement(id, 10n))));
  const spent = BigInt(10 * held.length);
  expect(await budgets().periods(budget.tenantId, budget.id, 10)).toMatchObject([{ spent, limit: 0n }]);
});

test('a clock that goes back over a boundary makes no third period, tells nothing twice and forgets nothing', async () => {
  const clock = await SetClock.install(db, new Date('2026-11-20T23:59:57Z'));
  const budget = await newBudget('day');
  const ledger = new LedgerRepository(pool);
  const spend = async (amount: bigint) => {
    const request = holdRequest(budget.tenantId, amount);
    const [answer] = await ledger.hold(budget.id, [request]);
    if (answer!.verdict === 'held') await ledger.settle(encoded([settlement(request.id, amount)]));
    return answer!.verdict;
  };
  expect(await spend(60n)).toBe('held');
  await clock.move(5);
  await budgets().rollPeriods();
  expect(await spend(70n)).toBe('held');
  await clock.move(-5);
  const told = await events();
  expect(await spend(41n)).toBe('too_large');
  expect(await spend(40n)).toBe('held');
  expect(await budgets().rollPeriods()).toEqual([]);
  await clock.move(5);
  expect(await spend(31n)).toBe('too_large');
  expect(await budgets().rollPeriods()).toEqual([]);
  expect(await events()).toEqual(told);
  expect(await budgets().periods(budget.tenantId, budget.id, 10)).toMatchObject([{ spent: 70n }, { spent: 100n }]);
});

test('periods roll under holds on all their budgets without a deadlock', async () => {
  const deadlocks = async () =>
    (await db.query<{ deadlocks: bigint }>('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')).rows[0]!.deadlocks;
  const values = Array.from({ length: 12 }, (_, i) => `proj_${i}`);
  const tenantId = await insertTenant(
    db,
    values.map((value) => ({ kind: 'project', value, limit: 10n ** 9n, period: 'hour' })),
  );
  const ledger = new LedgerRepository(pool);
  const shuffled = () => [...values].sort(() => Math.random() - 0.5).map((value) => ({ kind: 'project', value }));
  const hold = async () => {
    const request = holdRequest(tenantId, 1n, shuffled());
    expect((await ledger.hold(tenantId, [request]))[0]!.verdict).toBe('held');
    await ledger.settle(encoded([settlement(request.id, 1n)]));
  };
  const before = await deadlocks();
  for (let hours = 1; hours <= 6; hours++) {
    await moveClock(db, `${hours} hours`);
    await Promise.all([...Array.from({ length: 30 }, hold), budgets().rollPeriods(), budgets().rollPeriods()]);
  }
  expect(await deadlocks()).toBe(before);
});

test('an unknown time zone is refused, naming it', async () => {
  await expect(newBudget('day', 'Mars/Olympus')).rejects.toMatchObject({ code: 'invalid_request', param: 'timezone' });
});
