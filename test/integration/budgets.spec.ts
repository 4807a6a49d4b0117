import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Pool } from 'pg';
import type { Scope } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { BudgetsRepository } from '../../src/quotas/budgets.repository.js';
import { BudgetsService } from '../../src/quotas/budgets.service.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';

const GATEWAY = randomUUID();
let database: TestDatabase;
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let budgets: BudgetsService;

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 8, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
  budgets = new BudgetsService(new BudgetsRepository(pool));
});

afterEach(async () => {
  expect(await brokenInvariants(db)).toEqual([]);
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

type Fields = Partial<Parameters<BudgetsService['create']>[0]>;
const create = (tenantId: string, fields: Fields = {}) =>
  budgets.create({
    tenantId,
    scopeKind: 'tenant',
    scopeValue: tenantId,
    limit: 100n,
    periodKind: 'month',
    timezone: 'UTC',
    mode: 'deny',
    externalId: null,
    metadata: {},
    ...fields,
  });

const hold = async (tenantId: string, amount: bigint, scopes?: Scope[]) => {
  const request = holdRequest(tenantId, amount, scopes);
  const [answer] = await ledger.hold(GATEWAY, [request]);
  return { id: request.id, ...answer! };
};
const spend = async (tenantId: string, amount: bigint, scopes?: Scope[]) => {
  const { id, verdict } = await hold(tenantId, amount, scopes);
  expect(verdict).toBe('held');
  await ledger.settle(encoded([settlement(id, amount)]));
};
const events = async (kind: string) =>
  (await db.query<{ payload: Record<string, unknown> }>('SELECT payload FROM outbox WHERE kind = $1 ORDER BY id', [kind])).rows.map(
    (row) => row.payload,
  );
const stopClock = (at: string) =>
  db.query(`CREATE OR REPLACE FUNCTION weir_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT timestamptz '${at}' $$`);

const KINDS = ['tenant', 'project', 'api_key', 'end_user', 'session', 'model', 'provider', 'tag', 'scope'];

test.each(KINDS)('a budget on a scope of the kind %s holds for that value, and a template for each by itself', async (kind) => {
  const tenant = await insertTenant(db, []);
  await create(tenant, { scopeKind: kind, scopeValue: 'a', limit: 10n });
  await create(tenant, { scopeKind: kind, scopeValue: '*', limit: 15n });
  const of = (value: string): Scope[] => [{ kind, value }];
  expect(await hold(tenant, 11n, of('a'))).toMatchObject({
    verdict: 'too_large',
    denial: { scopeKind: kind, scopeValue: 'a', limit: 10n },
  });
  await spend(tenant, 10n, of('a'));
  await spend(tenant, 15n, of('b'));
  expect(await hold(tenant, 1n, of('b'))).toMatchObject({ verdict: 'exceeded', denial: { scopeValue: 'b', limit: 15n } });
  expect(await hold(tenant, 15n, of('c'))).toMatchObject({ verdict: 'held', remaining: 0n });
  expect(await hold(tenant, 99n, [{ kind: kind === 'tag' ? 'scope' : 'tag', value: 'a' }])).toMatchObject({
    verdict: 'held',
    remaining: null,
  });
});

test('whatever the scopes of a call, all its budgets are held or none, and a denial names one that was too small', async () => {
  const tenant = await insertTenant(db, []);
  const limits = new Map<string, bigint>();
  for (const kind of KINDS) {
    for (const value of ['a', 'b', '*']) {
      const limit = BigInt(50 + ((limits.size * 37) % 60));
      limits.set(`${kind} ${value}`, limit);
      await create(tenant, { scopeKind: kind, scopeValue: value, limit, periodKind: 'lifetime' });
    }
  }
  const scope = fc.record({ kind: fc.constantFrom(...KINDS), value: fc.constantFrom('a', 'b', 'c') });
  const calls = fc.array(
    fc.record({
      amount: fc.bigInt(1n, 30n),
      scopes: fc.uniqueArray(scope, { minLength: 1, maxLength: 4, selector: (s) => `${s.kind}${s.value}` }),
    }),
    {
      minLength: 1,
      maxLength: 12,
    },
  );
  await fc.assert(
    fc.asyncProperty(calls, async (batch) => {
      const requests = batch.map(({ amount, scopes }) => holdRequest(tenant, amount, scopes));
      const answers = await ledger.hold(GATEWAY, requests);
      for (const [i, { verdict, denial }] of answers.entries()) {
        const counted = batch[i]!.scopes.map((s) => `${s.kind} ${s.value}`);
        if (verdict === 'held') continue;
        expect(counted).toContain(`${denial!.scopeKind} ${denial!.scopeValue}`);
        expect(denial!.headroom).toBeLessThan(batch[i]!.amount);
      }
      const held = requests.filter((_, i) => answers[i]!.verdict === 'held');
      await ledger.settle(
        encoded(
          held.map((one, i) =>
            settlement(one.id, i % 3 === 0 ? one.amount! / 2n : 0n, i % 3 === 1 ? { state: 'voided', amount: null } : {}),
          ),
        ),
      );
    }),
    { numRuns: 60 },
  );
});

test('a rolling budget frees what its window has left behind, and never allows more within one', async () => {
  const tenant = await insertTenant(db, []);
  await stopClock('2026-11-20 12:00Z');
  await create(tenant, { periodKind: 'rolling', windowSeconds: 3_600 });
  await spend(tenant, 60n);
  await stopClock('2026-11-20 12:30Z');
  await spend(tenant, 40n);
  const denied = await hold(tenant, 1n);
  expect(denied).toMatchObject({ verdict: 'exceeded', denial: { spent: 100n, resetsAt: Date.UTC(2026, 10, 20, 13, 1) / 1000 } });
  await stopClock('2026-11-20 13:00Z');
  expect((await hold(tenant, 1n)).verdict).toBe('exceeded');
  await stopClock('2026-11-20 13:01Z');
  await spend(tenant, 60n);
  expect((await hold(tenant, 1n)).verdict).toBe('exceeded');
  await stopClock('2026-11-20 13:31Z');
  expect(await hold(tenant, 40n)).toMatchObject({ verdict: 'held', remaining: 0n });
});

test('in no window of a rolling budget is more spent than its limit, whenever calls come', async () => {
  const arrivals = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 900 }), amount: fc.bigInt(1n, 60n) }), {
    minLength: 5,
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(arrivals, async (calls) => {
      const tenant = await insertTenant(db, []);
      await stopClock('2026-11-20 00:00Z');
      await create(tenant, { periodKind: 'rolling', windowSeconds: 3_600 });
      const spent: { at: number; amount: bigint }[] = [];
      let at = 0;
      for (const { gap, amount } of calls) {
        at += gap;
        await stopClock(new Date(Date.UTC(2026, 10, 20) + at * 1000).toISOString());
        const { id, verdict } = await hold(tenant, amount);
        if (verdict !== 'held') continue;
        await ledger.settle(encoded([settlement(id, amount)]));
        spent.push({ at, amount });
      }
      for (const { at: start } of spent) {
        const within = spent.filter((one) => one.at >= start && one.at < start + 3_600);
        expect(within.reduce((sum, one) => sum + one.amount, 0n)).toBeLessThanOrEqual(100n);
      }
    }),
    { numRuns: 15 },
  );
});

test('a budget that observes counts and alerts, and refuses nothing; made hard, it refuses at once', async () => {
  const tenant = await insertTenant(db, []);
  const budget = await create(tenant, { mode: 'observe', thresholds: [100] });
  await spend(tenant, 150n);
  expect(await hold(tenant, 1n)).toMatchObject({ verdict: 'held', remaining: null, warnedPercent: 100 });
  expect(await events('budget.threshold_reached')).toMatchObject([{ threshold_percent: 100, spent_nano: '150' }]);
  await budgets.update(tenant, budget.id, { mode: 'deny', limit: 1_000n }, null);
  expect((await hold(tenant, 850n)).verdict).toBe('busy');
  expect((await hold(tenant, 851n)).verdict).toBe('too_large');
});

test('each threshold is told once per period, also when many calls cross it at once', async () => {
  const tenant = await insertTenant(db, []);
  await create(tenant, { limit: 1_000n, periodKind: 'day', thresholds: [50, 80, 100] });
  await Promise.all(Array.from({ length: 9 }, () => spend(tenant, 100n)));
  expect((await events('budget.threshold_reached')).map((event) => event['threshold_percent'])).toEqual([50, 80]);
  expect(await hold(tenant, 1n)).toMatchObject({ warnedPercent: 80 });
  await moveClock(db, '1 day');
  await spend(tenant, 500n);
  expect((await events('budget.threshold_reached')).map((event) => event['threshold_percent'])).toEqual([50, 80, 50]);
});

test('a threshold that a new limit moves is told when it is reached, and not again', async () => {
  const tenant = await insertTenant(db, []);
  const budget = await create(tenant, { limit: 1_000n, thresholds: [50] });
  await spend(tenant, 100n);
  await budgets.update(tenant, budget.id, { limit: 220n }, null);
  await spend(tenant, 10n);
  await spend(tenant, 10n);
  expect(await events('budget.threshold_reached')).toMatchObject([{ spent_nano: '110' }]);
});

test("a template that is changed while calls are held on many of its values gets in nobody's way", async () => {
  const tenant = await insertTenant(db, []);
  const budget = await create(tenant, { scopeKind: 'end_user', scopeValue: '*', limit: 1_000_000n });
  const deadlocks = async () =>
    Number((await db.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')).rows[0].deadlocks);
  const before = await deadlocks();
  // Their periods are made against the order of their names, in which a change would find them.
  const values = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, '0'));
  for (const value of values.toReversed()) await spend(tenant, 1n, [{ kind: 'end_user', value }]);
  let changing = true;
  const changes = (async () => {
    for (let i = 0; i < 40; i++) await budgets.update(tenant, budget.id, { limit: 1_000_000n + BigInt(i) }, null);
    changing = false;
  })();
  const work = async () => {
    while (changing) {
      const requests = [...values].sort(() => Math.random() - 0.5).map((value) => holdRequest(tenant, 1n, [{ kind: 'end_user', value }]));
      await ledger.hold(GATEWAY, requests);
      await ledger.settle(encoded(requests.map(({ id }) => settlement(id, 1n))));
    }
  };
  await Promise.all([changes, work(), work(), work()]);
  expect(await deadlocks()).toBe(before);
});

test('a grant raises the current period by exactly that, and leaves with it', async () => {
  const tenant = await insertTenant(db, []);
  const budget = await create(tenant, { periodKind: 'day' });
  await spend(tenant, 100n);
  expect((await hold(tenant, 1n)).verdict).toBe('exceeded');
  await budgets.grant(tenant, budget.id, null, 50n, 'ops', 'launch day');
  expect((await hold(tenant, 51n)).verdict).toBe('too_large');
  await spend(tenant, 50n);
  expect(await budgets.grants(tenant, budget.id, 10)).toMatchObject([
    { amount: 50n, actor: 'ops', reason: 'launch day', scopeValue: tenant },
  ]);
  await moveClock(db, '1 day');
  expect((await hold(tenant, 101n)).verdict).toBe('too_large');
});

test('a closed period gets one statement, once nothing of it is in flight: what was spent, how many calls, which models', async () => {
  const tenant = await insertTenant(db, []);
  const budget = await create(tenant, { periodKind: 'day' });
  await spend(tenant, 30n);
  const late = await hold(tenant, 20n);
  await moveClock(db, '1 day');
  await budgets.rollPeriods();
  expect((await budgets.periods(tenant, budget.id, 5)).map((period) => period.statement)).toEqual([null, null]);
  await ledger.settle(encoded([settlement(late.id, 20n)]));
  await Promise.all([budgets.rollPeriods(), budgets.rollPeriods(), budgets.rollPeriods()]);
  const [open, closed] = await budgets.periods(tenant, budget.id, 5);
  expect(open!.statement).toBeNull();
  expect(closed).toMatchObject({ spent: 50n, statement: { calls: 2, topModels: [{ provider: 'p', model: 'm', calls: 2, amount: 50n }] } });
});

test('a template opens no periods of its own: a value that stays away costs nothing', async () => {
  const tenant = await insertTenant(db, []);
  const budget = await create(tenant, { scopeKind: 'end_user', scopeValue: '*', periodKind: 'day' });
  await spend(tenant, 1n, [{ kind: 'end_user', value: 'ann' }]);
  await moveClock(db, '3 days');
  await budgets.rollPeriods();
  expect(await budgets.periods(tenant, budget.id, 10)).toMatchObject([{ scopeValue: 'ann', spent: 1n }]);
  await expect(budgets.reset(tenant, budget.id, 'ops', null)).rejects.toMatchObject({ code: 'invalid_request', param: 'scope_value' });
  await spend(tenant, 100n, [{ kind: 'end_user', value: 'ann' }]);
  expect(await budgets.reset(tenant, budget.id, 'ops', null, 'ann')).toMatchObject({ spent: 0n });
});

test('a hold that was given up never lands, whether it was there first or comes after', async () => {
  const tenant = await insertTenant(db, []);
  await create(tenant);
  const [before, after] = [holdRequest(tenant, 10n), holdRequest(tenant, 10n)];
  await ledger.hold(GATEWAY, [before]);
  const given = [before, after].map(({ id, tenantId }) => ({ id, tenantId }));
  await ledger.abandon(GATEWAY, given);
  await ledger.abandon(GATEWAY, given);
  await ledger.settle(encoded([before, after].map(({ id }) => settlement(id, null, { state: 'voided' }))));
  await ledger.hold(GATEWAY, [after]);
  const { rows } = await db.query(`SELECT state FROM holds WHERE id = ANY ($1) ORDER BY state`, [[before.id, after.id]]);
  expect(rows).toEqual([{ state: 'refused' }, { state: 'voided' }]);
  expect(await budgets.periods(tenant, (await budgets.list(tenant))[0]!.id, 1)).toMatchObject([{ held: 0n, spent: 0n }]);
});

test('holds that are given up while they land leave nothing behind', async () => {
  const tenant = await insertTenant(db, []);
  await create(tenant, { limit: 1_000_000n });
  for (let round = 0; round < 20; round++) {
    const requests = Array.from({ length: 20 }, () => holdRequest(tenant, 1n));
    const given = requests.map(({ id, tenantId }) => ({ id, tenantId }));
    await Promise.allSettled([ledger.hold(GATEWAY, requests), ledger.abandon(GATEWAY, given)]);
    await ledger.settle(encoded(requests.map(({ id }) => settlement(id, null, { state: 'voided' }))));
  }
  expect(await budgets.periods(tenant, (await budgets.list(tenant))[0]!.id, 1)).toMatchObject([{ held: 0n, spent: 0n }]);
});
