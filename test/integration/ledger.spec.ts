import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { PLAIN_UNITS } from '../../src/kernel/usage.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, quantity, settlement } from '../support/ledger.js';
import { eventually } from '../support/weir.js';

const GATEWAY = randomUUID();
let database: TestDatabase;
/** As the tests' owner. */
let db: Pool;
/** As the product's run-time role. */
let pool: Pool;
let ledger: LedgerRepository;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 8, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
});

afterEach(async () => expect(await brokenInvariants(db)).toEqual([]));

afterAll(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

const periodOf = async (tenantId: string) =>
  (await db.query('SELECT spent, held, limit_nano FROM budget_periods WHERE tenant_id = $1 ORDER BY id', [tenantId])).rows;
const entriesOf = async (callId: string) =>
  (
    await db.query(
      `SELECT kind, amount, estimated, ${quantity('l', 'input')} AS input_tokens, ${quantity('l', 'output')} AS output_tokens
       FROM ledger_entries l WHERE call_id = $1 ORDER BY kind DESC`,
      [callId],
    )
  ).rows;

test('a call is held, then booked once however often it is settled', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const request = holdRequest(tenant, 60n);
  expect(await ledger.hold(GATEWAY, [request])).toMatchObject([{ verdict: 'held', remaining: 40n, denial: null }]);
  expect(await periodOf(tenant)).toEqual([{ spent: 0n, held: 60n, limit_nano: 100n }]);

  expect([...(await ledger.settle(encoded([settlement(request.id, 25n)]))).keys()]).toEqual([request.id]);
  expect([...(await ledger.settle(encoded([settlement(request.id, 99n)]))).keys()]).toEqual([]);
  expect(await periodOf(tenant)).toEqual([{ spent: 25n, held: 0n, limit_nano: 100n }]);
  expect(await entriesOf(request.id)).toEqual([{ kind: 'usage', amount: 25n, estimated: false, input_tokens: 1n, output_tokens: 1n }]);
});

test('the truth that waits behind the reaper is booked as well', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const request = holdRequest(tenant, 60n);
  await ledger.hold(GATEWAY, [request]);
  await db.query(`UPDATE holds SET lease_until = '-infinity', sent = true WHERE id = $1`, [request.id]);
  const reaper = await pool.connect();
  await reaper.query('BEGIN');
  await reaper.query(`SELECT ${sqlFunction('reap_calls')}(10, $1)`, [PLAIN_UNITS]);
  const truth = ledger.settle(encoded([settlement(request.id, 50n)]));
  await eventually(async () => (await db.query(`SELECT 1 FROM pg_locks WHERE NOT granted`)).rows.length > 0);
  await reaper.query('COMMIT');
  reaper.release();
  expect([...(await truth).keys()]).toEqual([request.id]);
  expect((await entriesOf(request.id)).map((entry) => entry.kind)).toEqual(['usage', 'late']);
  expect(await periodOf(tenant)).toMatchObject([{ spent: 50n, held: 0n }]);
});

test('a hold that is repeated with its id is held once', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const request = holdRequest(tenant, 60n);
  const answers = await Promise.all(Array.from({ length: 8 }, () => ledger.hold(GATEWAY, [request])));
  expect(new Set(answers.map(([answer]) => answer!.verdict))).toEqual(new Set(['held']));
  expect(await periodOf(tenant)).toMatchObject([{ held: 60n }]);
});

test('a denial names the budget and tells spent, too large, busy and unpriced apart', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const first = holdRequest(tenant, 60n);
  const verdict = async (amount: bigint | null) => (await ledger.hold(GATEWAY, [holdRequest(tenant, amount)]))[0]!;
  await ledger.hold(GATEWAY, [first]);
  expect(await verdict(101n)).toMatchObject({
    verdict: 'too_large',
    denial: { amount: 101n, limit: 100n, spent: 0n, held: 60n, headroom: 40n, scopeKind: 'tenant' },
  });
  expect(await verdict(41n)).toMatchObject({ verdict: 'busy' });
  expect(await verdict(null)).toMatchObject({ verdict: 'unpriced' });
  await ledger.settle(encoded([settlement(first.id, 60n)]));
  expect(await verdict(41n)).toMatchObject({ verdict: 'too_large' });
  const second = holdRequest(tenant, 40n);
  await ledger.hold(GATEWAY, [second]);
  await ledger.settle(encoded([settlement(second.id, 40n)]));
  expect(await verdict(1n)).toMatchObject({ verdict: 'exceeded', denial: { spent: 100n, held: 0n } });
  expect(await verdict(0n)).toMatchObject({ verdict: 'held' });
});

test('all budgets of a call are held or none is, and the one in the way is named', async () => {
  const tenant = await insertTenant(db, [
    { limit: 1_000n },
    { kind: 'project', value: 'proj_a', limit: 50n },
    { kind: 'api_key', value: 'key_a', limit: 500n },
  ]);
  const scopes = [
    { kind: 'tenant', value: tenant },
    { kind: 'project', value: 'proj_a' },
    { kind: 'api_key', value: 'key_a' },
  ];
  const [denied, held, other] = await ledger.hold(GATEWAY, [
    holdRequest(tenant, 60n, scopes),
    holdRequest(tenant, 30n, scopes),
    holdRequest(tenant, 400n, scopes.slice(0, 1)),
  ]);
  expect(denied).toMatchObject({ verdict: 'too_large', denial: { scopeKind: 'project', scopeValue: 'proj_a' } });
  expect(held).toMatchObject({ verdict: 'held', remaining: 20n });
  expect(other).toMatchObject({ verdict: 'held', remaining: 570n });
  expect(await periodOf(tenant)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ held: 430n }),
      expect.objectContaining({ held: 30n }),
      expect.objectContaining({ held: 30n }),
    ]),
  );
});

test('64 calls at once on a budget that fits 10: exactly 10 are held, also over several connections', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const answers = await Promise.all(Array.from({ length: 64 }, () => ledger.hold(GATEWAY, [holdRequest(tenant, 100n)])));
  expect(answers.filter(([answer]) => answer!.verdict === 'held')).toHaveLength(10);
});

test('what costs more than was held is booked apart, and the next call is denied', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const request = holdRequest(tenant, 60n);
  await ledger.hold(GATEWAY, [request]);
  await ledger.settle(encoded([settlement(request.id, 150n)]));
  expect(await entriesOf(request.id)).toMatchObject([
    { kind: 'usage', amount: 60n },
    { kind: 'overrun', amount: 90n },
  ]);
  expect((await ledger.hold(GATEWAY, [holdRequest(tenant, 1n)]))[0]).toMatchObject({ verdict: 'exceeded' });
});

test('a void gives everything back and books no cost', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const request = holdRequest(tenant, 60n);
  await ledger.hold(GATEWAY, [request]);
  await ledger.settle(encoded([settlement(request.id, null, { state: 'voided', status: 'failed', httpStatus: 502 })]));
  expect(await periodOf(tenant)).toMatchObject([{ spent: 0n, held: 0n }]);
  expect(await entriesOf(request.id)).toEqual([]);
});

test('a call without a price and without a budget is booked with cost null', async () => {
  const tenant = await insertTenant(db, []);
  const request = holdRequest(tenant, null);
  expect(await ledger.hold(GATEWAY, [request])).toMatchObject([{ verdict: 'held', remaining: null, denial: null }]);
  await ledger.settle(encoded([settlement(request.id, null, { rates: null })]));
  expect(await entriesOf(request.id)).toMatchObject([{ kind: 'usage', amount: null }]);
});

test('amounts beyond 2^53 nano-dollars stay exact', async () => {
  const limit = 2n ** 53n + 1n;
  const tenant = await insertTenant(db, [{ limit }]);
  const request = holdRequest(tenant, limit);
  expect(await ledger.hold(GATEWAY, [request])).toMatchObject([{ verdict: 'held', remaining: 0n }]);
  await ledger.settle(encoded([settlement(request.id, limit)]));
  expect(await periodOf(tenant)).toMatchObject([{ spent: limit }]);
});

test('a dead gateway: what it had not sent is voided, what it had is booked as an estimate, once', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const [unsent, sent, alive] = [holdRequest(tenant, 100n), holdRequest(tenant, 100n), holdRequest(tenant, 100n)];
  const dead = randomUUID();
  await ledger.hold(dead, [unsent, sent]);
  await ledger.hold(GATEWAY, [alive]);
  await ledger.heartbeat([{ id: sent.id, isSent: true, checkpoint: { inputTokens: 10, outputTokens: 7, amount: 24n }, attempts: [] }]);
  expect(await ledger.reap(100)).toEqual([]);

  expect(await ledger.expireGateway(dead, [sent.id])).toBe(2);
  const reaped = await Promise.all(Array.from({ length: 4 }, () => ledger.reap(100)));
  expect(reaped.flat().sort((a, b) => Number(a.isBooked) - Number(b.isBooked))).toEqual([
    { id: unsent.id, isBooked: false, amount: null, held: 100n },
    { id: sent.id, isBooked: true, amount: 24n, held: 100n },
  ]);
  expect(await entriesOf(unsent.id)).toEqual([]);
  expect(await entriesOf(sent.id)).toEqual([{ kind: 'usage', amount: 24n, estimated: true, input_tokens: 10n, output_tokens: 7n }]);
  await ledger.settle(encoded([settlement(alive.id, 1n)]));
  expect(await periodOf(tenant)).toMatchObject([{ spent: 25n, held: 0n }]);

  // The truth comes late, and twice: the difference is booked once.
  expect([...(await ledger.settle(encoded([settlement(sent.id, 50n)]))).keys()]).toEqual([sent.id]);
  expect([...(await ledger.settle(encoded([settlement(sent.id, 50n)]))).keys()]).toEqual([]);
  expect(await entriesOf(sent.id)).toEqual([
    { kind: 'usage', amount: 24n, estimated: true, input_tokens: 10n, output_tokens: 7n },
    { kind: 'late', amount: 26n, estimated: false, input_tokens: -9n, output_tokens: -6n },
  ]);
  expect(await periodOf(tenant)).toMatchObject([{ spent: 51n, held: 0n }]);
});

test('a hold of which nothing was told, or nothing that says what it costs, is booked in full as an estimate: the provider may have served it', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const requests = [holdRequest(tenant, 100n), holdRequest(tenant, 100n)];
  const ids = requests.map(({ id }) => id);
  await ledger.hold(GATEWAY, requests);
  await ledger.heartbeat([{ id: ids[1]!, isSent: true, checkpoint: null, attempts: [] }]);
  await db.query(`UPDATE holds SET created_at = created_at - interval '11 s', lease_until = now() - interval '1 s' WHERE id = ANY ($1)`, [
    ids,
  ]);
  expect(await ledger.reap(100)).toHaveLength(2);
  for (const id of ids)
    expect(await entriesOf(id)).toEqual([{ kind: 'usage', amount: 100n, estimated: true, input_tokens: 55n, output_tokens: 45n }]);
  expect(await periodOf(tenant)).toMatchObject([{ spent: 200n, held: 0n }]);
});

test('a call of unknown price, or without an amount that is held, is booked for all the tokens it could use', async () => {
  const tenant = await insertTenant(db, []);
  const [unpriced, unbounded] = [holdRequest(tenant, null), holdRequest(tenant, null)];
  unbounded.context.rates = holdRequest(tenant, 1n).context.rates;
  unbounded.context.estimate = '145';
  const dead = randomUUID();
  await ledger.hold(dead, [unpriced, unbounded]);
  await ledger.expireGateway(dead, [unpriced.id, unbounded.id]);
  expect(await ledger.reap(100)).toHaveLength(2);
  const tokens = { kind: 'usage', estimated: true, input_tokens: 55n, output_tokens: 45n };
  expect(await entriesOf(unpriced.id)).toEqual([{ ...tokens, amount: null }]);
  // As its gateway said: 55 input tokens at $1 and 45 output tokens at $2 per million.
  expect(await entriesOf(unbounded.id)).toEqual([{ ...tokens, amount: 145n }]);
});

test('the run-time role can neither change nor delete what is booked', async () => {
  for (const statement of [
    'UPDATE ledger_entries SET amount = 0',
    'DELETE FROM ledger_entries',
    'UPDATE calls SET status = $$x$$',
    'DELETE FROM prices',
    'UPDATE prices SET model = $$x$$',
  ]) {
    await expect(pool.query(statement)).rejects.toThrow('permission denied');
  }
});

test('a hold and a settlement run as their owner, by plans that are made once and go by indexes', async () => {
  const names = ['hold_batch', 'settle_calls'].map(sqlFunction);
  const { rows } = await db.query('SELECT proname, prosecdef, proconfig FROM pg_proc WHERE proname = ANY ($1) ORDER BY proname', [names]);
  const proconfig = ['search_path=public, pg_temp', 'plan_cache_mode=force_generic_plan', 'enable_seqscan=off'];
  expect(rows).toEqual(names.map((proname) => ({ proname, prosecdef: true, proconfig })));
});

test('random holds, settlements, voids and crashes over shared budgets leave every invariant true and deadlock nowhere', async () => {
  const deadlocks = async () =>
    (await db.query<{ deadlocks: bigint }>('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')).rows[0]!.deadlocks;
  const before = await deadlocks();
  const op = fc.record({
    scopes: fc.subarray(['a', 'b', 'c', 'd'], { minLength: 1 }),
    amount: fc.bigInt({ min: 0n, max: 60n }),
    end: fc.constantFrom('settle', 'void', 'lose'),
    cost: fc.bigInt({ min: 0n, max: 60n }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(op, { minLength: 5, maxLength: 40 }), async (ops) => {
      const tenant = await insertTenant(
        db,
        ['a', 'b', 'c', 'd'].map((value) => ({ kind: 'project', value, limit: 300n })),
      );
      const lost = randomUUID();
      await Promise.all(
        ops.map(async ({ scopes, amount, end, cost }) => {
          const request = holdRequest(
            tenant,
            amount,
            scopes.map((value) => ({ kind: 'project', value })),
          );
          const [answer] = await ledger.hold(end === 'lose' ? lost : GATEWAY, [request]);
          if (answer!.verdict !== 'held' || end === 'lose') return;
          const spent = cost < amount ? cost : amount;
          await ledger.settle(
            encoded([end === 'settle' ? settlement(request.id, spent) : settlement(request.id, null, { state: 'voided' })]),
          );
        }),
      );
      expect(await brokenInvariants(db)).toEqual([]);
      await ledger.expireGateway(lost, []);
      while ((await ledger.reap(100)).length > 0);
      const { rows } = await db.query('SELECT 1 FROM budget_periods WHERE tenant_id = $1 AND held <> 0', [tenant]);
      expect(rows).toEqual([]);
    }),
    { numRuns: 25 },
  );
  expect(await deadlocks()).toBe(before);
});
