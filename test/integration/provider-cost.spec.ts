import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { encodeSettlement, encodeWithHold } from '../../src/ledger/encode-settlement.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';

const GATEWAY = randomUUID();
let database: TestDatabase;
/** As the tests' owner. */
let db: Pool;
/** As the product's run-time role. */
let pool: Pool;
let ledger: LedgerRepository;
let tenant: string;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 2, statementTimeoutMs: 10_000, name: 'test' });
  ledger = new LedgerRepository(pool);
});

beforeEach(async () => {
  tenant = await insertTenant(db, [{ limit: 1_000n }]);
});

afterEach(async () => expect(await brokenInvariants(db)).toEqual([]));

afterAll(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

const entriesOf = async (callId: string) =>
  (
    await db.query('SELECT kind, amount, provider_cost, lent FROM ledger_entries WHERE call_id = $1 ORDER BY booked_at, kind DESC', [
      callId,
    ])
  ).rows.map((row) => Object.values(row));
const period = async () =>
  Object.values((await db.query('SELECT spent, provider_cost FROM budget_periods WHERE tenant_id = $1', [tenant])).rows[0]);

test('a cap counts the charge; what the provider takes is booked beside it, whole, with who pays', async () => {
  const held = holdRequest(tenant, 100n);
  const own = { ...held, context: { ...held.context, lent: true } };
  await ledger.hold(GATEWAY, [own]);
  await ledger.settle(encoded([settlement(own.id, 120n, { providerCost: 90n })]));
  await ledger.settle(encoded([settlement(own.id, 120n, { providerCost: 90n })]));
  expect(await entriesOf(own.id)).toEqual([
    ['usage', 100n, 90n, true],
    ['overrun', 20n, null, true],
  ]);
  expect(await period()).toEqual([120n, 90n]);
});

test('unknown is null, beside a charge that is known, and the other way round', async () => {
  const [uncosted, unpriced] = [holdRequest(tenant, 10n), holdRequest(tenant, null, [])];
  await ledger.hold(GATEWAY, [uncosted, unpriced]);
  await ledger.settle(encoded([settlement(uncosted.id, 7n, { providerCost: null }), settlement(unpriced.id, null, { providerCost: 5n })]));
  expect(await entriesOf(uncosted.id)).toEqual([['usage', 7n, null, false]]);
  expect(await entriesOf(unpriced.id)).toEqual([['usage', null, 5n, false]]);
  expect(await period()).toEqual([7n, 0n]);
});

test('of a lost gateway it is unknown until the truth comes, which may be that nothing was used', async () => {
  const [told, empty] = [holdRequest(tenant, 100n), holdRequest(tenant, 100n)];
  const gateway = randomUUID();
  await ledger.hold(gateway, [told, empty]);
  await ledger.expireGateway(gateway, [told.id, empty.id]);
  await ledger.reap(10);
  expect(await period()).toEqual([200n, 0n]);
  await ledger.settle(
    encoded([settlement(told.id, 30n, { providerCost: 20n }), settlement(empty.id, null, { state: 'voided', providerCost: null })]),
  );
  expect(await entriesOf(told.id)).toEqual([
    ['usage', 100n, null, false],
    ['late', -70n, 20n, false],
  ]);
  expect(await entriesOf(empty.id)).toEqual([
    ['usage', 100n, null, false],
    ['late', -100n, 0n, false],
  ]);
  expect(await period()).toEqual([30n, 20n]);
});

test('a call whose hold is lost is booked with it', async () => {
  const lost = holdRequest(tenant, 100n);
  const end = settlement(lost.id, 30n, { providerCost: 20n });
  await ledger.bookUnheld(GATEWAY, new Map([[lost.id, encodeWithHold(encodeSettlement(end), lost, Date.now() + 1_000)]]));
  expect(await entriesOf(lost.id)).toEqual([
    ['usage', 0n, 20n, false],
    ['overrun', 30n, null, false],
  ]);
  expect(await period()).toEqual([30n, 20n]);
});

test('re-rating changes the charge alone', async () => {
  const held = holdRequest(tenant, 100n);
  await ledger.hold(GATEWAY, [held]);
  await ledger.settle(encoded([settlement(held.id, 50n, { providerCost: 40n })]));
  const span = { from: new Date(0), to: new Date(Date.now() + 60_000), provider: null, model: null };
  const [{ admittedAt } = { admittedAt: '' }] = await ledger.bookedCalls(tenant, span, null, 1);
  const change = { callId: held.id, attempt: 1, admittedAt, number: 1, amount: -20n, priceId: randomUUID(), rates: {} };
  expect(await ledger.adjust(tenant, [change], 'akey_1', null)).toBe(1);
  expect(await entriesOf(held.id)).toEqual([
    ['usage', 50n, 40n, false],
    ['adjustment', -20n, null, false],
  ]);
  expect(await period()).toEqual([30n, 40n]);
});
