import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { ApprovalsRepository } from '../../src/approvals/approvals.repository.js';
import { newId } from '../../src/kernel/ids.js';
import type { HoldRequest, Scope } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { BudgetsRepository } from '../../src/quotas/budgets.repository.js';
import { BudgetsService } from '../../src/quotas/budgets.service.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';

const GATEWAY = randomUUID();
const PERSON = { actor: 'person', isOperator: false };
const OPERATOR = { actor: 'operator', isOperator: true };
const ONCE = { approves: true, grant: null } as const;
const REJECTED = { approves: false } as const;
let database: TestDatabase;
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let budgets: BudgetsService;
let approvals: ApprovalsRepository;
let tenantId: string;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 16, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
  budgets = new BudgetsService(new BudgetsRepository(pool));
  approvals = new ApprovalsRepository(pool);
});

beforeEach(async () => {
  tenantId = await insertTenant(db, []);
});

afterEach(async () => expect(await brokenInvariants(db)).toEqual([]));

afterAll(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

type Fields = Partial<Parameters<BudgetsService['create']>[0]>;
const create = (fields: Fields = {}) =>
  budgets.create({
    tenantId,
    scopeKind: 'tenant',
    scopeValue: tenantId,
    limit: 100n,
    periodKind: 'month',
    timezone: 'UTC',
    mode: 'approve',
    externalId: null,
    metadata: {},
    setBy: 'tenant',
    ...fields,
  });
const current = async (id: string) => (await budgets.current(tenantId, [await budgets.get(tenantId, id)])).get(id)!;

const scopesOf = (): Scope[] => [{ kind: 'tenant', value: tenantId }];
const print = (text: string) => Buffer.from(text.padEnd(32, '.'));
const ask = async (amount: bigint, text = 'a request', changes: { scopes?: Scope[]; presented?: string } = {}) => {
  const standing = await approvals.request({
    id: newId(),
    tenantId,
    projectId: tenantId,
    apiKeyId: tenantId,
    endpoint: 'chat.completions',
    model: 'p/m',
    fingerprint: print(text),
    amount,
    scopes: changes.scopes ?? scopesOf(),
    facts: {},
    presented: changes.presented ?? null,
  });
  return standing as NonNullable<typeof standing> & { id: string };
};
const hold = async (amount: bigint) => {
  const request = holdRequest(tenantId, amount);
  const [answer] = await ledger.hold(GATEWAY, [request]);
  return { request, ...answer! };
};
const holdApproved = async (amount: bigint, id: string, text = 'a request', request: HoldRequest = holdRequest(tenantId, amount)) => {
  const answer = await ledger.holdApproved(GATEWAY, request, { id, fingerprint: print(text) }, 1_000);
  return { request, ...answer };
};
const settle = (id: string, amount: bigint, state: 'settled' | 'voided' = 'settled') =>
  ledger.settle(encoded([settlement(id, state === 'voided' ? null : amount, { state })]));
const spend = async (amount: bigint) => {
  const { request, verdict } = await hold(amount);
  expect(verdict).toBe('held');
  await settle(request.id, amount);
};
const grants = async () => (await db.query('SELECT amount, taken_back FROM grants WHERE tenant_id = $1 ORDER BY id', [tenantId])).rows;
const events = async (kind: string) =>
  (await db.query('SELECT payload FROM outbox WHERE tenant_id = $1 AND kind = $2', [tenantId, kind])).rows;
const stateOf = async (id: string) => (await approvals.find(tenantId, id))!.state;

test('a call beyond a budget asks once, whoever asks how often, and is told what each budget lacks', async () => {
  const { id: budgetId } = await create();
  await create({ scopeKind: 'session', scopeValue: 's', limit: 10n });
  await spend(80n);
  expect(await hold(30n)).toMatchObject({ verdict: 'too_large', denial: { mode: 'approve', budgetId } });

  const scopes = [...scopesOf(), { kind: 'session', value: 's' }];
  const all = await Promise.all(Array.from({ length: 16 }, () => ask(30n, 'a request', { scopes })));
  expect(all.filter(({ became }) => became === 'asked')).toHaveLength(1);
  expect(all.filter(({ became }) => became === 'waiting')).toHaveLength(15);
  expect(new Set(all.map(({ id }) => id)).size).toBe(1);
  expect(all[0]!.shorts.map(({ short, limit, spent }) => [short, limit, spent]).sort()).toEqual([
    [10n, 100n, 80n],
    [20n, 10n, 0n],
  ]);
  expect(await events('approval.requested')).toHaveLength(1);
});

test('no approval is asked for where a budget that denies lacks money too, or none lacks any', async () => {
  await create({ limit: 50n });
  expect(await ask(50n)).toBeNull();
  await create({ mode: 'deny', limit: 40n });
  expect(await ask(60n)).toBeNull();
});

test('32 approvals at once make one, and the call is held by it once, with what it lacks', async () => {
  const { id: budgetId } = await create();
  await spend(90n);
  const { id } = await ask(30n);
  expect(await holdApproved(30n, id)).toMatchObject({ verdict: 'too_large', isApproved: false }); // nobody has approved it

  const decided = await Promise.all(Array.from({ length: 32 }, () => approvals.decide(tenantId, id, ONCE, PERSON, null)));
  expect(decided.filter((became) => became === 'decided')).toHaveLength(1);
  expect(decided.filter((became) => became === 'same')).toHaveLength(31);
  expect(await events('approval.decided')).toHaveLength(1);
  expect(await grants()).toEqual([]);

  expect(await hold(30n)).toMatchObject({ verdict: 'too_large' }); // it is for who names it
  expect(await holdApproved(30n, id, 'another request')).toMatchObject({ verdict: 'too_large' });
  expect(await holdApproved(31n, id)).toMatchObject({ verdict: 'too_large' }); // dearer than what was approved
  const held = await Promise.all(Array.from({ length: 16 }, () => holdApproved(30n, id)));
  const [used, ...others] = held.filter(({ verdict }) => verdict === 'held');
  expect(others).toEqual([]);
  expect(used).toMatchObject({ isApproved: true, remaining: 0n });
  expect(await grants()).toEqual([{ amount: 20n, taken_back: 0n }]);
  expect(await stateOf(id)).toBe('used');
  expect(await current(budgetId)).toMatchObject({ limit: 100n, granted: 20n, spent: 90n, held: 30n });

  // What the call did not need goes back, to nobody else's use.
  await settle(used!.request.id, 15n);
  await approvals.takeBack(tenantId, used!.request.id);
  expect(await current(budgetId)).toMatchObject({ granted: 5n, spent: 105n, held: 0n });
  expect(await grants()).toEqual([{ amount: 20n, taken_back: 15n }]);
  expect(await hold(1n)).toMatchObject({ verdict: 'exceeded' });
  expect(await holdApproved(30n, id)).toMatchObject({ verdict: 'exceeded' });
});

test('nothing is granted where the call is not held for another reason, and the approval stays', async () => {
  const { id: budgetId } = await create();
  await spend(90n);
  const { id } = await ask(30n);
  await approvals.decide(tenantId, id, ONCE, PERSON, null);
  const denying = await create({ mode: 'deny', limit: 20n });
  expect(await holdApproved(30n, id)).toMatchObject({ verdict: 'too_large', denial: { budgetId: denying.id, mode: 'deny' } });
  expect(await grants()).toEqual([]);
  expect(await current(budgetId)).toMatchObject({ granted: 0n, held: 0n });
  await budgets.delete(tenantId, denying.id);
  expect(await holdApproved(30n, id)).toMatchObject({ verdict: 'held' });
});

test('an approval whose call was not sent can be used again; a repeated statement holds once', async () => {
  const { id: budgetId } = await create({ limit: 10n });
  const { id } = await ask(30n);
  await approvals.decide(tenantId, id, ONCE, PERSON, null);
  const first = await holdApproved(30n, id);
  expect(first).toMatchObject({ verdict: 'held' });
  expect(await holdApproved(30n, id, 'a request', first.request)).toMatchObject({ verdict: 'held' });
  expect(await current(budgetId)).toMatchObject({ held: 30n, granted: 20n });
  await settle(first.request.id, 0n, 'voided');
  await approvals.takeBack(tenantId, first.request.id);
  expect(await current(budgetId)).toMatchObject({ held: 0n, granted: 0n });
  expect(await stateOf(id)).toBe('approved');
  expect(await holdApproved(30n, id)).toMatchObject({ verdict: 'held' });
});

test('an amount raises each budget that lacked money by exactly that, and what is left of it goes back in time', async () => {
  const { id: budgetId } = await create();
  await spend(90n);
  const { id } = await ask(30n);
  const amount = { approves: true, grant: { amount: 50n, seconds: 600 } } as const;
  const decided = await Promise.all(Array.from({ length: 32 }, () => approvals.decide(tenantId, id, amount, PERSON, 'a launch')));
  expect(decided.filter((became) => became === 'decided')).toHaveLength(1);
  expect(await grants()).toEqual([{ amount: 50n, taken_back: 0n }]);
  await spend(30n);
  expect(await current(budgetId)).toMatchObject({ granted: 50n, spent: 120n });

  await moveClock(db, '11 minutes');
  await approvals.tidy(100);
  expect(await current(budgetId)).toMatchObject({ granted: 20n, spent: 120n });
  expect(await hold(1n)).toMatchObject({ verdict: 'exceeded' });
  await moveClock(db, '0');
});

test('64 calls beyond the budget and one approved amount spend no more than both', async () => {
  const { id: budgetId } = await create();
  const { id } = await ask(101n);
  const grant = { approves: true, grant: { amount: 50n, seconds: null } } as const;
  const [answers] = await Promise.all([
    Promise.all(Array.from({ length: 64 }, () => hold(7n))),
    approvals.decide(tenantId, id, grant, PERSON, null),
  ]);
  const held = answers.filter(({ verdict }) => verdict === 'held');
  await Promise.all(held.map(({ request }) => settle(request.id, 7n)));
  const { spent } = await current(budgetId);
  expect(spent).toBeLessThanOrEqual(150n);
  expect(spent).toBe(7n * BigInt(held.length));
});

test('who rejects ends it for a day, and nobody can decide otherwise then', async () => {
  await create({ limit: 10n });
  const { id } = await ask(30n);
  expect(await approvals.decide(tenantId, id, REJECTED, PERSON, 'too dear')).toBe('decided');
  expect(await approvals.decide(tenantId, id, REJECTED, PERSON, null)).toBe('same');
  expect(await approvals.decide(tenantId, id, ONCE, PERSON, null)).toBe('other');
  expect(await holdApproved(30n, id)).toMatchObject({ verdict: 'too_large' });
  expect(await ask(30n)).toMatchObject({ became: 'rejected', id, reason: 'too dear' });
  await moveClock(db, '25 hours');
  expect(await ask(30n)).toMatchObject({ became: 'asked' });
  await moveClock(db, '0');
});

test('what nobody decides, or uses, in time is over, and says so once', async () => {
  await create({ limit: 10n });
  const forgotten = await ask(30n, 'forgotten');
  await moveClock(db, '25 hours');
  expect(await stateOf(forgotten.id)).toBe('expired');
  expect(await approvals.decide(tenantId, forgotten.id, ONCE, PERSON, null)).toBe('other');
  const unused = await ask(30n, 'unused');
  await approvals.decide(tenantId, unused.id, ONCE, PERSON, null);
  expect(await ask(30n, 'unused')).toMatchObject({ became: 'approved', id: unused.id });
  await moveClock(db, '26 hours');
  expect(await holdApproved(30n, unused.id, 'unused')).toMatchObject({ verdict: 'too_large' });
  await Promise.all([approvals.tidy(100), approvals.tidy(100)]);
  expect(await stateOf(unused.id)).toBe('expired');
  expect(await events('approval.expired')).toHaveLength(2);
  await moveClock(db, '0');
});

test('an operator alone decides what an operator’s budget lacks', async () => {
  await create({ limit: 10n, setBy: 'operator' });
  const { id } = await ask(30n);
  expect(await approvals.decide(tenantId, id, ONCE, PERSON, null)).toBe('operator');
  expect(await approvals.decide(tenantId, id, ONCE, OPERATOR, null)).toBe('decided');
  expect(await holdApproved(30n, id)).toMatchObject({ verdict: 'held' });
});

test('a tenant has a bounded number of requests that wait', async () => {
  await create({ limit: 10n });
  await Promise.all(Array.from({ length: 100 }, (_, at) => ask(30n, `request ${at}`)));
  expect(await ask(30n, 'one more')).toMatchObject({ became: 'full' });
  expect(await approvals.list(tenantId, { state: 'pending', limit: 10, order: 'desc' })).toHaveLength(11);
});
