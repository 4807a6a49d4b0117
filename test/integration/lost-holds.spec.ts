import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { newId } from '../../src/kernel/ids.js';
import { encodeSettlement, encodeWithHold } from '../../src/ledger/encode-settlement.js';
import type { HoldRequest, LedgerService, Settlement } from '../../src/ledger/index.js';
import { readJournal } from '../../src/ledger/journal.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, quantity, settlement } from '../support/ledger.js';
import { openLedger } from '../support/open-ledger.js';

const GATEWAY = randomUUID();
const OTHER_GATEWAY = randomUUID();
const DAY_MS = 86_400_000;
let database: TestDatabase;
/** As the tests' owner. */
let db: Pool;
/** As the product's run-time role. */
let pool: Pool;
let repository: LedgerRepository;
let ledger: LedgerService;
let close: () => Promise<void>;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 8, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  repository = new LedgerRepository(pool);
  ({ ledger, close } = openLedger(database.url, 'test'));
});

afterEach(async () => {
  jest.restoreAllMocks();
  await moveClock(db, '0 s');
  expect(await brokenInvariants(db)).toEqual([]);
});

afterAll(async () => {
  await close();
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

const request = (tenantId: string, amount: bigint | null, scopes?: HoldRequest['scopes']): HoldRequest => ({
  ...holdRequest(tenantId, amount, scopes),
  id: newId(),
});

/** A hold that Postgres confirmed, and that the server which took its place has never heard of. */
async function lost(tenantId: string, amount: bigint | null, scopes?: HoldRequest['scopes']): Promise<HoldRequest> {
  const held = request(tenantId, amount, scopes);
  expect(await ledger.hold(held)).toMatchObject({ verdict: 'held' });
  await db.query(
    `WITH gone AS (DELETE FROM holds WHERE id = $1 RETURNING amount, period_ids)
     UPDATE budget_periods p SET held = p.held - coalesce(g.amount, 0) FROM gone g WHERE p.id = ANY (g.period_ids)`,
    [held.id],
  );
  return held;
}

const bookUnheld = (held: HoldRequest, end: Settlement, at = Date.now()) =>
  repository.bookUnheld(GATEWAY, new Map([[end.id, encodeWithHold(encodeSettlement(end), held, at)]]));
const settle = (held: HoldRequest, end: Settlement) => ledger.settle(held, end, () => {});
const periodsOf = async (tenantId: string) =>
  (await db.query('SELECT spent, held, starts_at FROM budget_periods WHERE tenant_id = $1 ORDER BY budget_id, starts_at', [tenantId])).rows;
const entriesOf = async (callId: string) =>
  (
    await db.query(
      `SELECT kind, amount, ${quantity('l', 'output')} AS output_tokens FROM ledger_entries l WHERE call_id = $1 ORDER BY kind DESC`,
      [callId],
    )
  ).rows;
const callsOf = async (callId: string) =>
  (await db.query('SELECT tenant_id, held, status, http_status, provider, end_user FROM calls WHERE id = $1', [callId])).rows;

test('however a call is booked, it keeps the provider record it was made with and who pays; a process that does not say leaves both unknown', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const payer = { provider_id: randomUUID(), lent: true };
  const lentTo = (held: HoldRequest): HoldRequest => ({ ...held, context: { ...held.context, ...payer } });
  const { provider_id: _, lent: __, ...olderContext } = request(tenant, 10n).context;
  const [settled, reaped, unheld] = [lentTo(request(tenant, 10n)), lentTo(request(tenant, 10n)), lentTo(request(tenant, 10n))];
  const older = { ...request(tenant, 10n), context: olderContext as HoldRequest['context'] };
  await repository.hold(GATEWAY, [settled, older]);
  await repository.hold(OTHER_GATEWAY, [reaped]);
  await repository.settle(encoded([settlement(settled.id, 5n), settlement(older.id, 5n)]));
  await repository.expireGateway(OTHER_GATEWAY, [reaped.id]);
  expect(await repository.reap(10)).toMatchObject([{ id: reaped.id }]);
  await bookUnheld(unheld, settlement(unheld.id, 5n));

  const payerOf = async ({ id }: HoldRequest) => (await db.query('SELECT provider_id, lent FROM calls WHERE id = $1', [id])).rows;
  for (const call of [settled, reaped, unheld]) expect(await payerOf(call)).toEqual([payer]);
  expect(await payerOf(older)).toEqual([{ provider_id: null, lent: null }]);
  const span = { from: new Date(Date.now() - DAY_MS), to: new Date(Date.now() + DAY_MS), provider: null, model: null };
  const booked = await repository.bookedCalls(tenant, span, null, 10);
  const { provider_id: providerId, lent } = payer;
  expect(Object.fromEntries(booked.map((call) => [call.callId, { providerId: call.providerId, lent: call.lent }]))).toEqual({
    ...Object.fromEntries([settled, reaped, unheld].map(({ id }) => [id, { providerId, lent }])),
    [older.id]: { providerId: null, lent: null },
  });
});

test('a call whose hold Postgres has lost is booked once, by what its gateway knows, however often it is settled', async () => {
  const tenant = await insertTenant(db, [
    { limit: 100n },
    { kind: 'project', value: 'a', limit: 100n },
    { kind: 'project', value: 'b', limit: 100n },
  ]);
  const held = await lost(tenant, 60n, [
    { kind: 'tenant', value: tenant },
    { kind: 'project', value: 'a' },
  ]);
  held.context.end_user = 'ann';
  const end = settlement(held.id, 25n);
  expect(await Promise.all([settle(held, end), settle(held, end)])).toMatchObject([{ safe: true }, { safe: true }]);
  await settle(held, settlement(held.id, 99n));
  expect(await entriesOf(held.id)).toEqual([
    { kind: 'usage', amount: 0n, output_tokens: 1n },
    { kind: 'overrun', amount: 25n, output_tokens: 0n },
  ]);
  expect(await callsOf(held.id)).toEqual([
    { tenant_id: tenant, held: 60n, status: 'completed', http_status: 200, provider: 'p', end_user: 'ann' },
  ]);
  expect((await periodsOf(tenant)).map(({ spent, held }) => [spent, held])).toEqual(
    expect.arrayContaining([
      [25n, 0n],
      [25n, 0n],
    ]),
  );
  expect(await periodsOf(tenant)).toHaveLength(2);
});

test('a call that used nothing leaves a call row, one without a price an entry without an amount', async () => {
  const tenant = await insertTenant(db, []);
  const failed = await lost(tenant, 60n);
  await settle(failed, settlement(failed.id, null, { state: 'voided', status: 'failed', httpStatus: 502 }));
  expect([await callsOf(failed.id), await entriesOf(failed.id)]).toEqual([[expect.objectContaining({ http_status: 502 })], []]);
  const unpriced = await lost(tenant, null);
  await settle(unpriced, settlement(unpriced.id, null, { rates: null }));
  expect(await entriesOf(unpriced.id)).toEqual([{ kind: 'usage', amount: null, output_tokens: 1n }]);
});

test('a hold that arrives after its call was booked holds nothing', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const held = await lost(tenant, 60n);
  await settle(held, settlement(held.id, 25n));
  await repository.hold(GATEWAY, [held]);
  expect(await periodsOf(tenant)).toMatchObject([{ spent: 25n, held: 0n }]);
});

test('a hold that arrives in between is settled as ever', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const late = request(tenant, 60n);
  const end = settlement(late.id, 25n);
  const first = jest.spyOn(LedgerRepository.prototype, 'settle');
  first.mockImplementationOnce(async () => {
    await repository.hold(GATEWAY, [late]);
    return new Map();
  });
  await settle(late, end);
  expect(await entriesOf(late.id)).toEqual([{ kind: 'usage', amount: 25n, output_tokens: 1n }]);
  expect(await periodsOf(tenant)).toMatchObject([{ spent: 25n, held: 0n }]);
});

test('hold, settlement and booking without a hold at once, again and again: each call is booked once', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  for (let i = 0; i < 20; i++) {
    const calls = Array.from({ length: 4 }, () => request(tenant, 10n));
    const one = (held: HoldRequest) => bookUnheld(held, settlement(held.id, 1n));
    // A batch of holds that meets a claimed id counts nothing, and is tried again.
    const hold = (): Promise<unknown> =>
      repository.hold(GATEWAY, calls).catch((error) => (error.code === '40001' ? hold() : Promise.reject(error)));
    await Promise.all([hold(), ...calls.map(one), ...calls.map(one)]);
    await repository.settle(encoded(calls.map(({ id }) => settlement(id, 1n))));
    expect(await periodsOf(tenant)).toMatchObject([{ spent: BigInt(4 * (i + 1)), held: 0n }]);
  }
});

test('what the room of a lost hold went to stands, the call is booked beyond it, and the next one is refused', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const held = await lost(tenant, 60n);
  const other = request(tenant, 80n);
  expect(await ledger.hold(other)).toMatchObject({ verdict: 'held' });
  await settle(held, settlement(held.id, 60n));
  expect(await brokenInvariants(db)).toEqual([]);
  await settle(other, settlement(other.id, 80n));
  expect(await periodsOf(tenant)).toMatchObject([{ spent: 140n, held: 0n }]);
  expect(await ledger.hold(request(tenant, 1n))).toMatchObject({ verdict: 'exceeded' });
});

test('it counts in the periods of the moment of its admission, also when they were lost too, and on the budgets there were then', async () => {
  const tenant = await insertTenant(db, [
    { limit: 100n, period: 'day' },
    { kind: 'project', value: 'a', limit: 100n },
    { kind: 'project', value: 'a', limit: 100n },
  ]);
  await db.query(
    `UPDATE budgets SET created_at = now() - interval '10 days', period_kind = CASE WHEN scope_kind = 'tenant' THEN 'day' ELSE 'rolling' END,
       window_seconds = CASE WHEN scope_kind = 'project' THEN 864000 END WHERE tenant_id = $1`,
    [tenant],
  );
  const [, young, gone] = (
    await db.query<{ id: string }>('SELECT id FROM budgets WHERE tenant_id = $1 ORDER BY scope_kind DESC, id', [tenant])
  ).rows;
  await db.query(`UPDATE budgets SET created_at = now() - interval '1 hour' WHERE id = $1`, [young!.id]);
  await db.query('UPDATE budgets SET deleted_at = now() WHERE id = $1', [gone!.id]);
  const scopes = [
    { kind: 'tenant', value: tenant },
    { kind: 'project', value: 'a' },
  ];
  // Today's period is there, yesterday's is not.
  await ledger
    .hold(request(tenant, 1n, scopes))
    .then(() => repository.expireGateway(ledger.gatewayId, []))
    .then(() => repository.reap(10));
  const held = request(tenant, 60n, scopes);
  const at = Date.now() - DAY_MS;
  expect(await bookUnheld(held, settlement(held.id, 25n), at)).toMatchObject({ booked: [held.id] });
  const { rows } = await db.query(
    `SELECT b.scope_kind, p.spent, p.starts_at <= to_timestamp($2) AND p.ends_at > to_timestamp($2) AS current, p.budget_id = $3 AS gone,
       (SELECT sum(amount)::bigint FROM budget_slices s WHERE s.period_id = p.id) AS window
     FROM budget_periods p JOIN budgets b ON b.tenant_id = p.tenant_id AND b.id = p.budget_id WHERE p.tenant_id = $1 AND p.spent > 0 ORDER BY 1 DESC`,
    [tenant, at / 1000, gone!.id],
  );
  expect(rows).toEqual([
    { scope_kind: 'tenant', spent: 25n, current: true, gone: false, window: null },
    { scope_kind: 'project', spent: 25n, current: true, gone: true, window: 25n },
  ]);
  const overlaps = `SELECT 1 FROM budget_periods a JOIN budget_periods b ON b.budget_id = a.budget_id AND b.scope_value = a.scope_value
    AND b.starts_at > a.starts_at AND b.starts_at < a.ends_at WHERE a.tenant_id = $1`;
  expect((await db.query(overlaps, [tenant])).rows).toEqual([]);
});

test('calls of one batch share a period that was lost with their holds', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  await db.query(`UPDATE budgets SET created_at = now() - interval '3 days' WHERE tenant_id = $1`, [tenant]);
  const calls = Array.from({ length: 3 }, () => request(tenant, 10n));
  const whole = calls.map((held, i): [string, string] => [
    held.id,
    encodeWithHold(encodeSettlement(settlement(held.id, 5n)), held, Date.now() - 10 * i),
  ]);
  const booked = calls.map(({ id }) => id).sort();
  expect((await repository.bookUnheld(GATEWAY, new Map(whole))).booked.sort()).toEqual(booked);
  const spent = (await periodsOf(tenant)).reduce((sum, period) => sum + period.spent, 0n);
  expect(spent).toBe(15n);
  expect((await periodsOf(tenant)).length).toBeLessThanOrEqual(2); // two where a month ends just now
});

test('once holds of its age are removed, it is left: it may have been booked', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const held = request(tenant, 60n);
  await moveClock(db, '6 days 23 hours 1 minute');
  expect(await bookUnheld(held, settlement(held.id, 25n))).toEqual({ booked: [], held: [], unknown: [held.id] });
  expect(await callsOf(held.id)).toEqual([]);
  await moveClock(db, '6 days 22 hours 59 minutes');
  expect(await bookUnheld(held, settlement(held.id, 25n))).toEqual({ booked: [held.id], held: [], unknown: [] });
  expect(await periodsOf(tenant)).toMatchObject([{ spent: 25n }]);
});

test('one whose hold is gone but whose call is booked is left', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const held = request(tenant, 60n);
  await ledger.hold(held);
  await settle(held, settlement(held.id, 25n));
  await db.query('DELETE FROM holds WHERE id = $1', [held.id]);
  await settle(held, settlement(held.id, 25n));
  expect(await entriesOf(held.id)).toHaveLength(1);
  expect(await periodsOf(tenant)).toMatchObject([{ spent: 25n, held: 0n }]);
});

test('a journal that a dead gateway left says what its calls were held for', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const held = await lost(tenant, 60n);
  const directory = mkdtempSync(join(tmpdir(), 'weir-lost-'));
  const path = join(directory, 'g.journal');
  const away = openLedger(`postgres://nobody@127.0.0.1:${await freePort()}/nothing`, 'away');
  away.ledger.keepJournal(path);
  expect(await away.ledger.settle(held, settlement(held.id, 25n), () => {})).toMatchObject({ safe: true });
  const journal = readJournal(path);
  await ledger.replay(journal);
  await ledger.replay(journal);
  expect(await periodsOf(tenant)).toMatchObject([{ spent: 25n, held: 0n }]);
  await away.close();
  rmSync(directory, { recursive: true });
});

test('where every hold is found, nothing more is asked', async () => {
  const asked = jest.spyOn(LedgerRepository.prototype, 'bookUnheld');
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const calls = Array.from({ length: 5 }, () => request(tenant, 10n));
  await Promise.all(calls.map((held) => ledger.hold(held)));
  await Promise.all(calls.map((held) => settle(held, settlement(held.id, 1n))));
  expect(asked).not.toHaveBeenCalled();
});
