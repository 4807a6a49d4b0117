import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { newId } from '../../src/kernel/ids.js';
import { AuditRepository, type Depth, RetentionRepository, RollUpsRepository } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, nextAttempt, settlement } from '../support/ledger.js';

const GATEWAY = randomUUID();
let database: TestDatabase;
/** As the owner, who can do what no process of the product may. */
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let rollUps: RollUpsRepository;
let tenant: string;
let minutes: number;

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  pool = createPool(database.url, { max: 4, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  [ledger, rollUps] = [new LedgerRepository(pool), new RollUpsRepository(pool)];
  await new RetentionRepository(pool).ensurePartitions();
  tenant = await insertTenant(db, []);
  minutes = 0;
});

afterEach(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

/** A call of two attempts, with different models, the second of them dearer than its hold. Answers its id. */
async function call(): Promise<string> {
  const first = { ...holdRequest(tenant, 100n), id: newId() };
  const second = nextAttempt(first, 2, 50n, { model: 'other' });
  await ledger.hold(GATEWAY, [first]);
  await ledger.settle(encoded([settlement(first.id, 40n, { moved: true })]));
  await ledger.hold(GATEWAY, [second]);
  await ledger.settle(encoded([settlement(second.id, 70n)]));
  return first.id;
}
function later(by: number): Promise<void> {
  minutes += by;
  return moveClock(db, `${minutes} minutes`);
}
/** As the worker does, until all is rolled up that was booked some minutes ago. */
async function rollUp() {
  await later(5);
  await rollUps.rollUp(1_000);
  await later(5);
  await rollUps.rollUp(10_000);
}
const rolled = async () =>
  (
    await db.query(
      'SELECT model, calls::int, provider_calls::int, model_calls::int, amount::int, adjusted::int, provider_cost::int FROM usage_rollups ORDER BY model',
    )
  ).rows;
const broken = async (depth: Depth) =>
  (await new AuditRepository(db).audit(depth)).breaches.map(({ invariant, message }) => ({ invariant, message }));

test('entries are rolled up by model and quarter of an hour, and a call of several attempts counts once for each', async () => {
  await call();
  await rollUp();
  const one = { provider_calls: 1, model_calls: 1, adjusted: 0 };
  expect(await rolled()).toEqual([
    { ...one, model: 'm', calls: 1, amount: 40, provider_cost: 40 },
    { ...one, model: 'other', calls: 0, provider_calls: 0, amount: 70, provider_cost: 70 },
  ]);
  const { checks } = await new AuditRepository(db).audit('full');
  expect(checks.find(({ invariant }) => invariant === 'I8')).toMatchObject({ checked: 1, broken: 0 });
  expect(await rollUps.rollUp(1_000)).toBe(false);
});

test('what is booked later for a quarter that was rolled up goes into it', async () => {
  const id = await call();
  await rollUp();
  const { rows } = await db.query('SELECT admitted_at FROM ledger_entries LIMIT 1');
  await db.query(
    `SELECT ${sqlFunction('adjust_calls')}($1, ARRAY[$2::uuid], ARRAY[$3::timestamptz], '{1}', '{1}', '{-15}', ARRAY[NULL::uuid], ARRAY[NULL::jsonb], 'a', NULL)`,
    [tenant, id, rows[0].admitted_at.toISOString()],
  );
  await rollUp();
  expect(await brokenInvariants(db)).toEqual([]);
});

test('what a slow transaction books for a time long ago is not missed', async () => {
  await call();
  const slow = await db.connect();
  await slow.query('BEGIN');
  await slow.query(`INSERT INTO ledger_entries SELECT tenant_id, gen_random_uuid(), attempt, kind, admitted_at, weir_now(), project_id, api_key_id, provider, model,
    units, quantities, price_id, rates, 5, estimated, period_ids FROM ledger_entries WHERE attempt = 1`);
  for (let turn = 0; turn < 3; turn++) await rollUp();
  expect(await rolled()).toEqual([]);
  await slow.query('COMMIT');
  slow.release();
  await rollUp();
  expect((await rolled()).map(({ amount }) => amount)).toEqual([45, 70]);
});

test('I8: a roll-up that is not the sum of its entries is named, with both figures, and can be built anew', async () => {
  await call();
  await rollUp();
  await db.query('UPDATE usage_rollups SET amount = amount + 1 WHERE calls = 1');
  const breach = { invariant: 'I8', message: expect.stringMatching(/ \$0\.000000111 rolled up .* entries come to \$0\.00000011,/) };
  expect(await broken('full')).toEqual([breach]);
  expect(await broken('recent')).toEqual([breach]);
  await db.query('UPDATE usage_rollups SET amount = amount - 1, quantities[1] = 7 WHERE calls = 1');
  expect((await broken('full')).map(({ invariant }) => invariant)).toEqual(['I8']);
  await db.query(`SELECT ${sqlFunction('rebuild_usage')}()`);
  expect(await broken('full')).toEqual([]);
  await rollUp();
  expect((await rolled()).map(({ amount }) => amount)).toEqual([40, 70]);
  await db.query('DELETE FROM usage_rollups');
  expect((await broken('full')).map(({ invariant }) => invariant)).toEqual(['I8']);
});

test('with a month, what was rolled up of it goes', async () => {
  await call();
  await rollUp();
  await moveClock(db, '5 months');
  const retention = new RetentionRepository(pool);
  await retention.purgeHolds();
  while (await retention.dropOldestMonth(3));
  expect(await rolled()).toEqual([]);
  expect(await brokenInvariants(db)).toEqual([]);
});
