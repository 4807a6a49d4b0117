import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { newId } from '../../src/kernel/ids.js';
import { encodeSettlement, encodeWithHold } from '../../src/ledger/encode-settlement.js';
import type { HoldRequest } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';
import { eventually } from '../support/weir.js';

/** Two money statements on the same rows, given in opposite orders, never wait for each other in a circle. */

const ROUNDS = Number(process.env['LOCK_ROUNDS'] ?? 2);
const CALLS = 40;

let database: TestDatabase;
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let tenant: string;
let budget: string;
let gateway: string;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 8, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
  tenant = await insertTenant(db, [{ limit: 1_000_000n }, { kind: 'project', value: 'p', limit: 1_000_000n }]);
  budget = (await db.query('SELECT id FROM budgets WHERE tenant_id = $1 ORDER BY id LIMIT 1', [tenant])).rows[0].id;
  const calls = Array.from({ length: CALLS }, () => holdRequest(tenant, 10n, scopes()));
  await ledger.hold(randomUUID(), calls);
  await ledger.settle(encoded(calls.map(({ id }) => settlement(id, 1n))));
  const { rows } = await db.query(`SELECT call_id, admitted_at::text AS at FROM ledger_entries WHERE tenant_id = $1`, [tenant]);
  booked = rows.map(({ call_id, at }) => ({ callId: call_id, admittedAt: at }));
  expect(booked).toHaveLength(CALLS);
});

afterAll(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

const scopes = () => [
  { kind: 'tenant', value: tenant },
  { kind: 'project', value: 'p' },
];

/** Calls that are over. */
let booked: { callId: string; admittedAt: string }[];
let adjustments = 0;

/** Each time in the other order. */
function adjust(): Promise<number> {
  const number = ++adjustments;
  const all = booked.map((call) => ({ ...call, attempt: 1, number, amount: 1n, priceId: randomUUID(), rates: {} }));
  return ledger.adjust(tenant, number % 2 === 0 ? all : all.reverse(), 'test', null);
}

/** Calls whose holds Postgres has lost. */
function bookUnheld(): Promise<unknown> {
  const lost = Array.from({ length: CALLS }, () => ({ ...holdRequest(tenant, 10n, scopes()), id: newId() }));
  const whole = lost.map((held) => [held.id, encodeWithHold(encodeSettlement(settlement(held.id, 1n)), held, Date.now())] as const);
  return ledger.bookUnheld(gateway, new Map(whole));
}

type Statement = (calls: HoldRequest[]) => Promise<unknown>;
const scopeValue = async () => (await db.query('SELECT scope_value FROM budgets WHERE id = $1', [budget])).rows[0].scope_value;

const STATEMENTS: Record<string, Statement> = {
  admit: (calls) => ledger.hold(gateway, calls),
  settle: (calls) => ledger.settle(encoded(calls.map(({ id }) => settlement(id, 1n)))),
  adjust,
  'book what was lost': bookUnheld,
  heartbeat: (calls) => ledger.heartbeat(calls.map(({ id }) => ({ id, isSent: true, checkpoint: null, attempts: [] }))),
  abandon: (calls) => ledger.abandon(gateway, calls),
  expire: (calls) =>
    ledger.expireGateway(
      gateway,
      calls.slice(1).map(({ id }) => id),
    ),
  forget: () => pool.query(`SELECT ${sqlFunction('forget_gateway')}($1, 'test', NULL)`, [gateway]),
  reap: () => ledger.reap(CALLS),
  reset: async () =>
    pool.query(`SELECT FROM ${sqlFunction('reset_period')}($1, $2, $3, 'test', NULL, gen_random_uuid())`, [
      tenant,
      budget,
      await scopeValue(),
    ]),
  grant: async () =>
    pool.query(`SELECT FROM ${sqlFunction('grant_period')}($1, $2, $3, gen_random_uuid(), 1, 'test', NULL)`, [
      tenant,
      budget,
      await scopeValue(),
    ]),
  roll: () => pool.query(`SELECT FROM ${sqlFunction('roll_period')}($1)`, [tenant]),
  'drop a month': () => pool.query(`SELECT ${sqlFunction('drop_oldest_month')}(3)`),
  purge: () => pool.query(`SELECT ${sqlFunction('purge_holds')}(100)`),
  'change of a budget': () => pool.query(`SELECT ${sqlFunction('follow_budget')}($1, $2)`, [tenant, budget]),
};
const names = Object.keys(STATEMENTS);
const pairs = names.flatMap((a, i) => names.slice(i).map((b) => [a, b] as const));

test.each(pairs)('%s and %s on the same rows in opposite orders do not deadlock', async (a, b) => {
  for (let round = 0; round < ROUNDS; round++) {
    gateway = randomUUID();
    const calls = Array.from({ length: CALLS }, () => holdRequest(tenant, 10n, scopes()));
    await ledger.hold(gateway, calls);
    await Promise.all([STATEMENTS[a]!(calls), STATEMENTS[b]!([...calls].reverse()), STATEMENTS[a]!([...calls].reverse())]);
    await ledger.settle(encoded(calls.map(({ id }) => settlement(id, null, { state: 'voided' }))));
  }
});

test('a tenant that is blanked has its periods locked before its counters, as a late settlement does', async () => {
  const deleted = await insertTenant(db, [{ limit: 1_000n }]);
  await db.query(`INSERT INTO limits (tenant_id, id, scope_kind, scope_value, concurrency) VALUES ($1, $2, 'tenant', $1::uuid::text, 5)`, [
    deleted,
    randomUUID(),
  ]);
  const call = holdRequest(deleted, 10n);
  await ledger.hold(randomUUID(), [call]);
  await ledger.settle(encoded([settlement(call.id, 1n)]));
  await db.query('UPDATE tenants SET deleted_at = now() WHERE id = $1', [deleted]);
  const late = await db.connect();
  await late.query('BEGIN');
  await late.query('SELECT FROM budget_periods WHERE tenant_id = $1 ORDER BY id FOR UPDATE', [deleted]);
  const blanked = pool.query(`SELECT ${sqlFunction('erase_tenant')}($1)`, [deleted]);
  await eventually(async () => (await db.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount! > 0);
  expect((await late.query('SELECT FROM limit_counters WHERE tenant_id = $1 ORDER BY id FOR UPDATE NOWAIT', [deleted])).rowCount).toBe(1);
  await late.query('COMMIT');
  late.release();
  await blanked;
  expect((await db.query('SELECT FROM limit_counters WHERE tenant_id = $1', [deleted])).rowCount).toBe(0);
});

test('and the ledger is whole after all of them', async () => {
  expect(await brokenInvariants(db)).toEqual([]);
});
