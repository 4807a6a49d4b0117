import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { CallsRepository } from '../../src/calls/calls.repository.js';
import { ReportsRepository, renderCall } from '../../src/calls/index.js';
import { newId } from '../../src/kernel/ids.js';
import { NO_USAGE } from '../../src/kernel/usage.js';
import { encodeSettlement, encodeWithHold } from '../../src/ledger/encode-settlement.js';
import { AuditRepository, type HoldRequest, RetentionRepository } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, nextAttempt, settlement } from '../support/ledger.js';
import { openLedger } from '../support/open-ledger.js';
import { Random } from '../support/random.js';

const GATEWAY = randomUUID();
const VOIDED = { state: 'voided', status: 'failed', httpStatus: 502, errorCode: 'upstream_error', usage: NO_USAGE } as const;
const MOVED = { moved: true } as const;
const MONTH = { from: new Date(Date.now() - 86_400_000), to: new Date(Date.now() + 86_400_000), provider: null, model: null };

let database: TestDatabase;
/** As the tests' owner. */
let db: Pool;
/** As the product's run-time role. */
let pool: Pool;
let ledger: LedgerRepository;
let calls: CallsRepository;
let reports: ReportsRepository;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 8, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  [ledger, calls, reports] = [new LedgerRepository(pool), new CallsRepository(pool), new ReportsRepository(pool)];
});

afterEach(async () => {
  await moveClock(db, '0 s');
  expect(await brokenInvariants(db)).toEqual([]);
});

afterAll(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

const begin = (tenantId: string, amount: bigint | null, scopes?: HoldRequest['scopes']): HoldRequest => ({
  ...holdRequest(tenantId, amount, scopes),
  id: newId(),
});
const hold = async (...requests: HoldRequest[]) => (await ledger.hold(GATEWAY, requests)).map(({ verdict }) => verdict);
const settle = (request: HoldRequest, amount: bigint | null, changes = {}) =>
  ledger.settle(encoded([settlement(request.id, amount, changes)]));
const die = async (gateway: string, sent: string[]) => {
  await ledger.expireGateway(gateway, sent);
  return ledger.reap(100);
};
const moneyOf = async (tenantId: string) =>
  (
    await db.query<{ spent: bigint; held: bigint }>('SELECT spent, held FROM budget_periods WHERE tenant_id = $1 ORDER BY id', [tenantId])
  ).rows.map(({ spent, held }) => [spent, held]);
const entriesOf = async (callId: string) =>
  (
    await db.query<{ attempt: number; kind: string; amount: bigint | null; provider: string }>(
      'SELECT attempt, kind, amount, provider FROM ledger_entries WHERE call_id = $1 ORDER BY attempt, kind DESC',
      [callId],
    )
  ).rows.map(({ attempt, kind, amount, provider }) => `${attempt} ${kind} ${amount} ${provider}`);
const callsOf = async (tenantId: string) =>
  (await calls.list(tenantId, { limit: 100, order: 'asc', filters: {} })).calls.map(({ id, status, provider, cost, usage, estimated }) => ({
    id,
    status,
    provider,
    cost,
    tokens: usage.input + usage.output,
    estimated,
  }));
const onProject = (tenantId: string, value: string) => [
  { kind: 'tenant', value: tenantId },
  { kind: 'project', value },
];
/** A call whose first attempt has ended so, and that goes on. */
async function failed(tenantId: string, amount: bigint, cost: bigint | null = null, changes = {}): Promise<HoldRequest> {
  const first = begin(tenantId, amount);
  expect(await hold(first)).toEqual(['held']);
  await settle(first, cost, { ...(cost === null ? VOIDED : { status: 'cut' }), ...MOVED, ...changes });
  return first;
}

test('a second attempt after one that used nothing: one call, one entry, the row says how it ended', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const first = await failed(tenant, 60n);
  expect(await callsOf(tenant)).toMatchObject([{ id: first.id, status: 'failed', provider: 'p', cost: 0n }]);
  expect(await moneyOf(tenant)).toEqual([[0n, 0n]]);

  const second = nextAttempt(first, 2, 90n, { provider: 'q', model: 'n', provider_id: GATEWAY, lent: true });
  expect(await hold(second)).toEqual(['held']);
  expect(await moneyOf(tenant)).toEqual([[0n, 90n]]);
  const attempts = [
    { provider: 'p', model: 'm', credential: null, status: 502, reason: 'upstream_error', latencyMs: 1 },
    { provider: 'q', model: 'n', credential: null, status: 200, reason: null, latencyMs: 2, amount: 25n },
  ];
  expect([...(await settle(second, 25n, { attempts, servedModel: 'n-1', durationMs: 9 })).values()]).toEqual([75n]);
  expect((await settle(second, 26n)).size).toBe(0);
  expect(await entriesOf(first.id)).toEqual(['2 usage 25 q']);
  expect(await entriesOf(second.id)).toEqual([]);
  expect(await callsOf(tenant)).toEqual([{ id: first.id, status: 'completed', provider: 'q', cost: 25n, tokens: 2, estimated: false }]);
  expect(renderCall((await calls.find(tenant, first.id))!, 'tenant')).toMatchObject({
    requested_model: 'p/m',
    served_model: 'n-1',
    lent: true,
    http_status: 200,
    error_code: null,
    duration_ms: 9,
    cost: '0.000000025',
    attempts: [
      { provider: 'p', model: 'm', status: 502, reason: 'upstream_error' },
      { provider: 'q', model: 'n', status: 200, cost: '0.000000025' },
    ],
  });
  expect(await moneyOf(tenant)).toEqual([[25n, 0n]]);
});

test('three attempts, booked in full, as an estimate and above the hold: what each used is booked once, and the call is the sum', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const first = await failed(tenant, 60n, 60n);
  const second = nextAttempt(first, 2, 50n, { provider: 'q' });
  await hold(second);
  await settle(second, 30n, { status: 'cut', estimated: true, ...MOVED });
  const third = nextAttempt(first, 3, 40n, { provider: 'r' });
  await hold(third);
  await settle(third, 70n);
  expect(await entriesOf(first.id)).toEqual(['1 usage 60 p', '2 usage 30 q', '3 usage 40 r', '3 overrun 30 r']);
  expect(await callsOf(tenant)).toEqual([{ id: first.id, status: 'completed', provider: 'r', cost: 160n, tokens: 6, estimated: true }]);
  expect(await moneyOf(tenant)).toEqual([[160n, 0n]]);
});

test('an attempt is held for on the scopes of its own target, and only once the one before is settled', async () => {
  const tenant = await insertTenant(db, [
    { limit: 100n },
    { kind: 'project', value: 'a', limit: 60n },
    { kind: 'project', value: 'b', limit: 70n },
  ]);
  const first = begin(tenant, 60n, onProject(tenant, 'a'));
  expect(await hold(first)).toEqual(['held']);
  // Its budget fits one of them at a time.
  expect(await hold(begin(tenant, 60n, onProject(tenant, 'b')))).toEqual(['busy']);
  await settle(first, null, { ...VOIDED, ...MOVED });
  const second = nextAttempt(first, 2, 70n, { provider: 'q' }, onProject(tenant, 'b'));
  expect(await hold(second)).toEqual(['held']);
  await settle(second, 70n);
  expect(await moneyOf(tenant)).toEqual(
    expect.arrayContaining([
      [70n, 0n],
      [0n, 0n],
      [70n, 0n],
    ]),
  );
});

test('where the first attempt was booked, a cap that fits one call refuses the second, and the call stays as it was', async () => {
  const tenant = await insertTenant(db, [{ limit: 100n }]);
  const first = await failed(tenant, 60n, 60n);
  expect(await hold(nextAttempt(first, 2, 60n))).toEqual(['too_large']);
  expect(await callsOf(tenant)).toEqual([{ id: first.id, status: 'cut', provider: 'p', cost: 60n, tokens: 2, estimated: false }]);
});

test('a limit of ten requests a minute lets ten calls pass that each have a fallback, and not one more', async () => {
  const tenant = await insertTenant(db, []);
  await db.query(
    `INSERT INTO limits (tenant_id, id, scope_kind, scope_value, requests_per_minute, concurrency) VALUES ($1, $2, 'tenant', $3, 10, 1)`,
    [tenant, randomUUID(), tenant],
  );
  for (let i = 0; i < 10; i++) {
    const first = await failed(tenant, 1n);
    const second = nextAttempt(first, 2, 1n);
    expect(await hold(second)).toEqual(['held']);
    expect(await hold(begin(tenant, 1n))).toEqual([i === 9 ? 'requests' : 'concurrency']);
    await settle(second, 1n);
  }
  expect(await hold(begin(tenant, 1n))).toEqual(['requests']);
});

test('attempts of one batch, first and later ones, each get their own call', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const before = [await failed(tenant, 10n), await failed(tenant, 10n, 5n)];
  const batch = [
    begin(tenant, 10n),
    nextAttempt(before[0]!, 2, 20n, { provider: 'q' }),
    begin(tenant, 10n),
    nextAttempt(before[1]!, 2, 30n, { provider: 'r' }),
  ];
  expect(await hold(...batch)).toEqual(Array(4).fill('held'));
  expect((await ledger.settle(encoded(batch.map(({ id }, i) => settlement(id, BigInt(i + 1)))))).size).toBe(4);
  expect(await callsOf(tenant)).toMatchObject([
    { id: before[0]!.id, provider: 'q', cost: 2n },
    { id: before[1]!.id, provider: 'r', cost: 9n },
    { id: batch[0]!.id, provider: 'p', cost: 1n },
    { id: batch[2]!.id, provider: 'p', cost: 3n },
  ]);
});

test('the credential that served an attempt in the end is the one that its call names', async () => {
  const tenant = await insertTenant(db, []);
  const [held, used] = [randomUUID(), randomUUID()];
  const credentialOf = async (id: string) => (await db.query('SELECT credential_id FROM calls WHERE id = $1', [id])).rows[0].credential_id;
  for (const [credential, expected] of [
    [undefined, held],
    [used, used],
    [null, null],
  ]) {
    const first = begin(tenant, 1n);
    first.context.credential = held;
    await hold(first);
    await settle(first, null, { ...VOIDED, ...MOVED, credential });
    expect(await credentialOf(first.id)).toBe(expected);
    const second = nextAttempt(first, 2, 1n, { credential: held });
    await hold(second);
    expect(await credentialOf(first.id)).toBe(expected);
    await settle(second, 1n, { credential });
    expect(await credentialOf(first.id)).toBe(expected);
    const lost = { ...begin(tenant, 1n), context: first.context };
    const end = encodeSettlement(settlement(lost.id, 1n, { credential }));
    await ledger.bookUnheld(GATEWAY, new Map([[lost.id, encodeWithHold(end, lost, Date.now())]]));
    expect(await credentialOf(lost.id)).toBe(expected);
  }
});

test('a gateway that dies between the attempts leaves a failed call; one that dies in the second, its estimate', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const between = await failed(tenant, 60n, 20n);
  const during = await failed(tenant, 60n);
  const unsent = await failed(tenant, 60n);
  const [second, never] = [nextAttempt(during, 2, 50n, { provider: 'q' }), nextAttempt(unsent, 2, 50n, { provider: 'q' })];
  const dead = randomUUID();
  await ledger.hold(dead, [second, never]);
  expect(await die(dead, [second.id])).toHaveLength(2);
  expect(await entriesOf(during.id)).toEqual(['2 usage 50 q']);
  expect(await callsOf(tenant)).toEqual([
    { id: between.id, status: 'cut', provider: 'p', cost: 20n, tokens: 2, estimated: false },
    { id: during.id, status: 'cut', provider: 'q', cost: 50n, tokens: 100, estimated: true },
    { id: unsent.id, status: 'failed', provider: 'q', cost: 0n, tokens: 0, estimated: false },
  ]);
  expect(await moneyOf(tenant)).toEqual([[70n, 0n]]);
});

test('a call that is reaped in its second attempt has the attempts that are known of it', async () => {
  const tenant = await insertTenant(db, []);
  const known = { provider: 'p', model: 'm', credential: null, status: 500, reason: 'upstream_error', latencyMs: 1 };
  const first = await failed(tenant, 1n, null, { attempts: [known] });
  const second = nextAttempt(first, 2, 1n);
  const dead = randomUUID();
  await ledger.hold(dead, [second]);
  await die(dead, [second.id]);
  expect((await calls.find(tenant, first.id))!.attempts).toMatchObject([
    { provider: 'p', status: 500 },
    { provider: 'p', status: null, reason: 'gateway_lost', latency_ms: null },
  ]);
});

test('the truth about either attempt comes late, and corrects what that attempt was booked for', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const first = begin(tenant, 60n);
  const [frozen, dead] = [randomUUID(), randomUUID()];
  await ledger.hold(frozen, [first]);
  await ledger.heartbeat([{ id: first.id, isSent: true, checkpoint: { inputTokens: 10, outputTokens: 1, amount: 12n }, attempts: [] }]);
  await die(frozen, [first.id]);
  // It was not gone after all: it tells what the first attempt cost, and goes on.
  expect((await settle(first, 20n, { status: 'cut', ...MOVED })).size).toBe(1);
  const second = nextAttempt(first, 2, 50n, { provider: 'q' });
  await ledger.hold(dead, [second]);
  await die(dead, [second.id]);
  expect((await settle(second, 70n)).size).toBe(1);
  expect((await settle(second, 70n)).size).toBe(0);
  expect(await entriesOf(first.id)).toEqual(['1 usage 12 p', '1 late 8 p', '2 usage 50 q', '2 overrun 20 q', '2 late 0 q']);
  expect(await callsOf(tenant)).toMatchObject([{ cost: 90n, tokens: 4, estimated: true }]);
  expect(await moneyOf(tenant)).toEqual([[90n, 0n]]);
});

test('a later attempt that an older process has reaped is a call by itself, and its truth is booked there', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const first = await failed(tenant, 60n, 10n);
  const second = nextAttempt(first, 2, 50n, { provider: 'q' });
  const dead = randomUUID();
  await ledger.hold(dead, [second]);
  // It knows nothing of these columns.
  const { rows } = await db.query(
    'UPDATE holds SET call_id = NULL, attempt = NULL, admitted_at = NULL WHERE id = $1 RETURNING created_at',
    [second.id],
  );
  await die(dead, [second.id]);
  await db.query('UPDATE holds SET call_id = $2, attempt = 2, admitted_at = (SELECT created_at FROM holds WHERE id = $2) WHERE id = $1', [
    second.id,
    first.id,
  ]);
  expect(rows).toHaveLength(1);
  expect(await brokenInvariants(db)).toEqual([]);
  expect((await settle(second, 30n)).size).toBe(1);
  expect(await entriesOf(second.id)).toEqual(['1 usage 50 q', '1 late -20 q']);
  expect(await moneyOf(tenant)).toEqual([[40n, 0n]]);
});

test('an attempt whose hold is lost in a failover is booked as a call by itself', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const first = await failed(tenant, 60n, 10n);
  const second = nextAttempt(first, 2, 50n, { provider: 'q' });
  const whole = new Map([[second.id, encodeWithHold(encodeSettlement(settlement(second.id, 30n)), second, Date.now())]]);
  for (const became of [[second.id], []]) expect((await ledger.bookUnheld(GATEWAY, whole)).booked).toEqual(became);
  expect(await callsOf(tenant)).toMatchObject([
    { id: first.id, provider: 'p', cost: 10n },
    { id: second.id, provider: 'q', cost: 30n },
  ]);
  expect(await moneyOf(tenant)).toEqual([[40n, 0n]]);
});

test('an attempt of a call that a failover has lost, that is not over, or that is of another tenant is a call by itself', async () => {
  const [tenant, other] = [await insertTenant(db, [{ limit: 1_000n }]), await insertTenant(db, [])];
  const open = begin(tenant, 10n);
  await hold(open);
  const calls = [begin(tenant, 10n), open, { ...(await failed(other, 10n)), tenantId: tenant }];
  const strays = calls.map((first) => nextAttempt(first, 2, 20n, {}, open.scopes));
  for (const stray of strays) {
    expect(await hold(stray)).toEqual(['held']);
    await settle(stray, 5n);
    expect(await entriesOf(stray.id)).toEqual(['1 usage 5 p']);
  }
  await settle(open, 1n);
  expect(await moneyOf(tenant)).toEqual([[16n, 0n]]);
});

test('a gateway that gives up the hold of a second attempt leaves what is known of the first', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const known = { provider: 'p', model: 'm', credential: null, status: 500, reason: 'upstream_error', latencyMs: 1 };
  const first = await failed(tenant, 60n, 10n, { attempts: [known] });
  const second = nextAttempt(first, 2, 50n, { provider: 'q' });
  await ledger.abandon(GATEWAY, [{ id: second.id, tenantId: tenant }]);
  await expect(hold(second)).resolves.toEqual(['held']); // an id that is known: nothing is held
  expect(await moneyOf(tenant)).toEqual([[10n, 0n]]);
  expect(await callsOf(tenant)).toMatchObject([{ status: 'cut', provider: 'p', cost: 10n }]);
});

test('the service says whether a booking is in Postgres, so that the next attempt may be held for', async () => {
  const { ledger: service, close } = openLedger(database.url, 'attempts');
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const first = begin(tenant, 60n);
  expect(await service.hold(first)).toMatchObject({ verdict: 'held' });
  expect(await service.settle(first, settlement(first.id, null, { ...VOIDED, ...MOVED }), () => {})).toMatchObject({
    safe: true,
    booked: true,
  });
  const second = nextAttempt(first, 2, 50n);
  expect(await service.hold(second)).toMatchObject({ verdict: 'held' });
  expect(await service.settle(second, settlement(second.id, 7n), () => {})).toMatchObject({ booked: true, remaining: 993n });
  expect(await callsOf(tenant)).toMatchObject([{ id: first.id, cost: 7n }]);
  await close();
});

test('reports count a call once, and each attempt for its own model; statements too', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n, period: 'hour' }]);
  for (let i = 0; i < 2; i++) {
    const first = await failed(tenant, 60n, 10n);
    const second = nextAttempt(first, 2, 50n, { provider: 'q', model: 'n' });
    await hold(second);
    await settle(second, 20n);
  }
  const now = Math.floor(Date.now() / 1000);
  const query = {
    start: now - 3_600,
    end: now + 3_600,
    bucketWidth: '1d' as const,
    timeZone: 'UTC',
    limit: 10,
  };
  const again = await failed(tenant, 60n);
  for (const attempt of [2, 3]) {
    const later = nextAttempt(again, attempt, 50n, { provider: 'q', model: 'n' });
    await hold(later);
    await settle(later, 1n);
  }
  const all = async (groupBy: ['model'] | [], models: string[] | null = null) =>
    (await reports.usage(tenant, { ...query, groupBy, filters: models ? { model: models } : {} })).buckets.flatMap(
      ({ results }) => results,
    );
  expect(await all([])).toMatchObject([{ requests: 3, usage: { input: 6, output: 6 } }]);
  expect(await all([], ['q/n'])).toMatchObject([{ requests: 3, usage: { input: 4 } }]);
  expect(await all([], ['p/m', 'q/n'])).toMatchObject([{ requests: 3, usage: { input: 6 } }]);
  expect(await all(['model'])).toMatchObject([
    { group: { model: 'p/m' }, requests: 2, usage: { input: 2 } },
    { group: { model: 'q/n' }, requests: 3, usage: { input: 4 } },
  ]);
  const costs = await reports.costs(tenant, { ...query, groupBy: ['model'], filters: {} }, 'corrected', 'tenant');
  expect(costs.buckets.flatMap(({ results }) => results)).toMatchObject([
    { group: { model: 'p/m' }, amount: 20n },
    { group: { model: 'q/n' }, amount: 42n },
  ]);
  await db.query('UPDATE budget_periods SET closed_at = now() WHERE tenant_id = $1', [tenant]);
  await db.query(`SELECT ${sqlFunction('write_statements')}($1, 10)`, [tenant]);
  const { rows } = await db.query('SELECT calls, top_models FROM budget_statements WHERE tenant_id = $1', [tenant]);
  expect(rows).toEqual([
    {
      calls: 3n,
      top_models: [
        { provider: 'q', model: 'n', calls: 3, amount_nano: '42' },
        { provider: 'p', model: 'm', calls: 2, amount_nano: '20' },
      ],
    },
  ]);
});

test('attempts are corrected apart, each by its own price, again and again', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const first = await failed(tenant, 60n, 10n);
  const payer = { provider: 'q', model: 'n', provider_id: randomUUID(), lent: true };
  const second = nextAttempt(first, 2, 50n, payer);
  await hold(second);
  await settle(second, 20n);
  const booked = await ledger.bookedCalls(tenant, MONTH, null, 10);
  // Only the provider that it ended with has its record in the row.
  expect(booked).toMatchObject([
    { callId: first.id, attempt: 1, provider: 'p', model: 'm', providerId: null, lent: null, charged: 10n, adjustments: 0 },
    { callId: first.id, attempt: 2, provider: 'q', model: 'n', providerId: payer.provider_id, lent: true, charged: 20n, adjustments: 0 },
  ]);
  expect(await ledger.bookedCalls(tenant, MONTH, booked[0]!, 10)).toMatchObject([{ attempt: 2 }]);
  expect(await ledger.bookedCalls(tenant, { ...MONTH, provider: 'q' }, null, 10)).toMatchObject([{ attempt: 2, charged: 20n }]);

  const correct = (number: number, amounts: bigint[]) =>
    ledger.adjust(
      tenant,
      booked.map(({ callId, attempt, admittedAt }, i) => ({
        callId,
        attempt,
        admittedAt,
        number,
        amount: amounts[i]!,
        priceId: randomUUID(),
        rates: {},
      })),
      'test',
      null,
    );
  expect(await correct(1, [-4n, 6n])).toBe(2);
  expect(await correct(1, [-4n, 6n])).toBe(0);
  expect(await correct(2, [1n, 0n])).toBe(2);
  expect(await ledger.bookedCalls(tenant, MONTH, null, 10)).toMatchObject([
    { attempt: 1, charged: 7n, booked: 10n, adjustments: 2 },
    { attempt: 2, charged: 26n, booked: 20n, adjustments: 2 },
  ]);
  expect(await entriesOf(first.id)).toEqual([
    '1 usage 10 p',
    '1 adjustment -4 p',
    '2 usage 20 q',
    '2 adjustment 1 p',
    '1001 adjustment 6 q',
    '1002 adjustment 0 q',
  ]);
  expect(await callsOf(tenant)).toMatchObject([{ cost: 33n }]);
  expect(await moneyOf(tenant)).toEqual([[33n, 0n]]);
});

test('an estimate of the second attempt that was corrected before its truth came ends at the truth', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const first = await failed(tenant, 60n, 10n);
  const second = nextAttempt(first, 2, 50n, { provider: 'q' });
  const dead = randomUUID();
  await ledger.hold(dead, [second]);
  await die(dead, [second.id]);
  const [, { callId, attempt, admittedAt }] = (await ledger.bookedCalls(tenant, MONTH, null, 10)) as [
    unknown,
    { callId: string; attempt: number; admittedAt: string },
  ];
  await ledger.adjust(tenant, [{ callId, attempt, admittedAt, number: 1, amount: -10n, priceId: randomUUID(), rates: {} }], 'test', null);
  await settle(second, 45n);
  expect(await entriesOf(first.id)).toEqual(['1 usage 10 p', '2 usage 50 q', '2 late 5 q', '1001 adjustment -10 q']);
  expect(await moneyOf(tenant)).toEqual([[55n, 0n]]);
});

test('what a call was made for is not kept of its later attempts, and a deleted tenant leaves none of it', async () => {
  const tenant = await insertTenant(db, []);
  const first = begin(tenant, 1n);
  Object.assign(first.context, { end_user: 'ann', session: 's', tags: ['t'], scopes: ['u'] });
  await hold(first);
  await settle(first, null, { ...VOIDED, ...MOVED });
  const second = nextAttempt(first, 2, 1n);
  expect(second.context.end_user).toBe('ann');
  await hold(second);
  await settle(second, 1n);
  expect(await calls.find(tenant, first.id)).toMatchObject({ endUser: 'ann', session: 's', tags: ['t'], scopes: ['u'] });
  await db.query('UPDATE tenants SET deleted_at = now() WHERE id = $1', [tenant]);
  await pool.query(`SELECT ${sqlFunction('erase_calls')}($1, NULL, NULL, 10)`, [tenant]);
  expect(await calls.find(tenant, first.id)).toMatchObject({ endUser: null, session: null, tags: [], scopes: [] });
  const { rows } = await db.query(`SELECT FROM holds WHERE tenant_id = $1 AND context ?| '{end_user,session,tags,scopes}'`, [tenant]);
  expect(rows).toEqual([]);
});

describe('the audit', () => {
  const audits = async () => {
    const [full, recent] = await Promise.all((['full', 'recent'] as const).map((depth) => new AuditRepository(pool).audit(depth)));
    const told = ({ breaches }: Awaited<ReturnType<AuditRepository['audit']>>) =>
      breaches.filter(({ key }) => !key.startsWith('I7:call:')).map(({ key, message }) => [key, message] as const);
    expect(told(recent!)).toEqual(told(full!));
    return told(full!);
  };
  let first: HoldRequest;
  let second: HoldRequest;

  beforeEach(async () => {
    const tenant = await insertTenant(db, [{ limit: 1_000n }]);
    first = await failed(tenant, 60n, 10n);
    second = nextAttempt(first, 2, 50n, { provider: 'q' });
    await hold(second);
  });

  test('finds nothing wrong with an attempt in flight, and looks at its lost cost by attempt', async () => {
    expect(await audits()).toEqual([]);
    const lostOf = async () => Number((await new AuditRepository(pool).audit('recent')).lost.booked);
    const before = await lostOf();
    const dead = randomUUID();
    const third = nextAttempt(first, 3, 40n);
    await ledger.hold(dead, [third]);
    await die(dead, [third.id]);
    expect((await lostOf()) - before).toBeCloseTo(0.00000004, 12);
    await settle(second, 1n);
  });

  test.each([
    [
      'an attempt that used something and is not booked',
      `DELETE FROM ledger_entries WHERE call_id = $1 AND attempt = 2`,
      () => [
        `I6:call:${first.id}:2`,
        expect.stringMatching(/^The hold of attempt 2 of call_\w+ of ten_\w+ is settled, but it has 0 usage entries/),
      ],
    ],
    [
      'an attempt whose call has no row',
      'DELETE FROM calls WHERE id = $1',
      () => [`I4:call:${first.id}:2`, expect.stringContaining('but there are 0 rows of it in calls instead of one')],
    ],
  ])('names %s', async (_, sql, expected) => {
    await settle(second, 20n);
    const client = await db.connect();
    const keep = `CREATE TEMP TABLE kept AS SELECT * FROM ${sql.includes('calls') ? 'calls WHERE id' : 'ledger_entries WHERE attempt = 2 AND call_id'} = '${first.id}'`;
    await client.query(keep);
    await client.query(sql, [first.id]);
    expect(await audits()).toContainEqual(expected());
    await client.query(`INSERT INTO ${sql.includes('calls') ? 'calls' : 'ledger_entries'} SELECT * FROM kept`);
    await client.query('DROP TABLE kept');
    client.release();
  });

  test('names an attempt that is billed while it is in flight, and one that is billed twice', async () => {
    const copy = (shift: string) =>
      db.query(
        `INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, amount, period_ids)
         SELECT tenant_id, call_id, 2, 'usage', admitted_at + interval '${shift}', now(), 0, '{}' FROM ledger_entries WHERE call_id = $1 AND attempt = 1`,
        [first.id],
      );
    await copy('0 s');
    expect(await audits()).toEqual([[`I6:call:${first.id}:2`, expect.stringContaining('is open, but it has 1 usage entries')]]);
    await copy('1 s');
    expect(await brokenInvariants(db)).toContainEqual(expect.stringMatching(/^I5: .* has 2 entries of kind usage for attempt 2/));
    await db.query('DELETE FROM ledger_entries WHERE call_id = $1 AND attempt = 2', [first.id]);
    await settle(second, 1n);
  });
});

test('random calls of up to four attempts, with crashes and late truths: every cent is booked once, each call has one row, nothing stays held', async () => {
  const { seed } = Random.ofRun('attempts');
  const end = fc.oneof(
    { weight: 3, arbitrary: fc.record({ end: fc.constant('voided' as const), cost: fc.constant(0n) }) },
    { weight: 3, arbitrary: fc.record({ end: fc.constantFrom('booked' as const, 'estimated' as const), cost: fc.bigInt(0n, 80n) }) },
    {
      weight: 1,
      arbitrary: fc.record({ end: fc.constantFrom('died' as const, 'unsent' as const, 'late' as const), cost: fc.bigInt(0n, 80n) }),
    },
  );
  const attempt = fc.record({ how: end, amount: fc.bigInt(0n, 60n), project: fc.constantFrom('a', 'b', 'c') });
  const call = fc.array(attempt, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 2, maxLength: 12 }), async (all) => {
      const tenant = await insertTenant(db, [
        { limit: 900n },
        ...['a', 'b', 'c'].map((value) => ({ kind: 'project', value, limit: 300n })),
      ]);
      const costs = new Map<string, bigint>();
      const book = (id: string, cost: bigint) => costs.set(id, (costs.get(id) ?? 0n) + cost);
      await Promise.all(
        all.map(async (attempts) => {
          const gateway = randomUUID();
          let first: HoldRequest | null = null;
          for (const [index, { how, amount, project }] of attempts.entries()) {
            const scopes = onProject(tenant, project);
            const one: HoldRequest = first
              ? nextAttempt(first, index + 1, amount, { provider: project }, scopes)
              : begin(tenant, amount, scopes);
            const [answer] = await ledger.hold(gateway, [one]);
            if (answer!.verdict !== 'held') return;
            first ??= one;
            const moved = index < attempts.length - 1;
            const { cost } = how;
            if (how.end === 'voided') await settle(one, null, { ...VOIDED, moved });
            else if (how.end === 'booked' || how.end === 'estimated')
              await settle(one, cost, { moved, estimated: how.end === 'estimated' });
            else await die(gateway, how.end === 'unsent' ? [] : [one.id]);
            if (how.end === 'late') await settle(one, cost, { moved });
            book(first.id, how.end === 'died' ? amount : how.end === 'voided' || how.end === 'unsent' ? 0n : cost);
            if (how.end === 'died' || how.end === 'unsent') return;
          }
        }),
      );
      // What one gateway's reaper has left, another's has found.
      while ((await ledger.reap(100)).length > 0);
      expect(await brokenInvariants(db)).toEqual([]);
      const booked = new Map((await callsOf(tenant)).map(({ id, cost }) => [id, cost]));
      expect(booked).toEqual(new Map([...costs].sort().map(([id, cost]) => [id, cost])));
      const total = [...costs.values()].reduce((sum, cost) => sum + cost, 0n);
      const { rows } = await db.query(
        `SELECT coalesce(sum(spent) FILTER (WHERE b.scope_kind = 'tenant'), 0)::bigint AS tenant, coalesce(sum(spent) FILTER (WHERE b.scope_kind = 'project'), 0)::bigint AS projects,
           coalesce(sum(held), 0)::bigint AS held
         FROM budget_periods p JOIN budgets b ON b.tenant_id = p.tenant_id AND b.id = p.budget_id WHERE p.tenant_id = $1`,
        [tenant],
      );
      expect(rows).toEqual([{ tenant: total, projects: total, held: 0n }]);
    }),
    { numRuns: 20, seed },
  );
});

test('a month goes with all attempts of its calls, and what they spent stays provable', async () => {
  const tenant = await insertTenant(db, [{ limit: 1_000n, period: 'lifetime' }]);
  const first = await failed(tenant, 60n, 10n);
  const second = nextAttempt(first, 2, 20n, { provider: 'q' });
  await hold(second);
  await settle(second, 50n);
  const retention = new RetentionRepository(pool);
  await moveClock(db, '5 months');
  await retention.ensurePartitions();
  expect(await retention.purgeHolds()).toBeGreaterThanOrEqual(2);
  expect((await db.query('SELECT FROM holds WHERE tenant_id = $1', [tenant])).rows).toEqual([]);
  while (await retention.dropOldestMonth(3));
  expect(await callsOf(tenant)).toEqual([]);
  const { rows } = await db.query('SELECT spent, archived, archived_above FROM budget_periods WHERE tenant_id = $1', [tenant]);
  expect(rows).toEqual([{ spent: 60n, archived: 60n, archived_above: 30n }]);
});
