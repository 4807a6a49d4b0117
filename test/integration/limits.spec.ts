import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { NO_USAGE } from '../../src/kernel/usage.js';
import type { HoldRequest } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';

const GATEWAY = randomUUID();
let database: TestDatabase;
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 8, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
});

afterEach(async () => {
  expect(await brokenInvariants(db)).toEqual([]);
  await stopClock(0);
});

afterAll(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

/** Postgres time stands still, this many seconds after noon. */
const stopClock = (seconds: number) =>
  db.query(
    `CREATE OR REPLACE FUNCTION weir_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT timestamptz '2026-11-20 12:00Z' + interval '${seconds} seconds' $$`,
  );

interface Limits {
  requests?: number;
  tokens?: number;
  concurrency?: number;
}

async function tenantWith({ requests, tokens, concurrency }: Limits, scopeValue?: string): Promise<string> {
  const tenantId = await insertTenant(db, []);
  await db.query(
    `INSERT INTO limits (tenant_id, id, scope_kind, scope_value, requests_per_minute, tokens_per_minute, concurrency) VALUES ($1, $2, 'tenant', $3, $4, $5, $6)`,
    [tenantId, randomUUID(), scopeValue ?? tenantId, requests, tokens, concurrency],
  );
  return tenantId;
}

const request = (tenantId: string, tokens = 100, value = tenantId): HoldRequest => ({
  ...holdRequest(tenantId, 1n, [{ kind: 'tenant', value }]),
  tokens,
});
const admit = async (...requests: HoldRequest[]) => (await ledger.hold(GATEWAY, requests)).map((answer) => answer.verdict);
const end = (request: HoldRequest, changes = {}) => ledger.settle(encoded([settlement(request.id, 1n, changes)]));
const counter = async (tenantId: string) =>
  (
    await db.query<{ open: number; tokens: number; requests: number }>(
      `SELECT open, (SELECT sum(v)::int FROM unnest(tokens) AS t (v)) AS tokens, (SELECT sum(v)::int FROM unnest(requests) AS r (v)) AS requests
       FROM limit_counters WHERE tenant_id = $1`,
      [tenantId],
    )
  ).rows;

test('of 64 calls at once, over several connections, a limit of ten requests admits ten', async () => {
  const tenant = await tenantWith({ requests: 10 });
  const verdicts = (await Promise.all(Array.from({ length: 64 }, () => admit(request(tenant))))).flat();
  expect(verdicts.filter((verdict) => verdict === 'held')).toHaveLength(10);
  expect(new Set(verdicts)).toEqual(new Set(['held', 'requests']));
});

test('calls in flight are limited, and a call that ends makes room, whether booked, voided or reaped', async () => {
  const tenant = await tenantWith({ concurrency: 2 });
  const [a, b, c, d] = [request(tenant), request(tenant), request(tenant), request(tenant)];
  expect(await admit(a, b, c)).toEqual(['held', 'held', 'concurrency']);
  await end(a);
  expect(await admit(c, d)).toEqual(['held', 'concurrency']);
  await end(b, { state: 'voided', amount: null });
  expect(await admit(d)).toEqual(['held']);
  await stopClock(60);
  await ledger.reap(10);
  expect(await counter(tenant)).toMatchObject([{ open: 0 }]);
  expect(await admit(request(tenant), request(tenant), request(tenant))).toEqual(['held', 'held', 'concurrency']);
});

test('tokens count as the worst case while a call runs, and as what it used afterwards', async () => {
  const tenant = await tenantWith({ tokens: 1_000 });
  const [a, b] = [request(tenant, 900), request(tenant, 900)];
  expect(await admit(a, b)).toEqual(['held', 'tokens']);
  await end(a, { usage: { ...NO_USAGE, input: 50, output: 50 } });
  expect(await counter(tenant)).toEqual([{ open: 0, tokens: 100, requests: 1 }]);
  expect(await admit(b, request(tenant, 1))).toEqual(['held', 'tokens']);
});

test('the denial says how long to wait, and after that there is room', async () => {
  const tenant = await tenantWith({ requests: 3 });
  await stopClock(0);
  await admit(request(tenant));
  await stopClock(20);
  await admit(request(tenant), request(tenant));
  await stopClock(30);
  const [answer] = await ledger.hold(GATEWAY, [request(tenant)]);
  expect(answer).toMatchObject({
    verdict: 'requests',
    limitDenial: { scopeKind: 'tenant', scopeValue: tenant, limit: 3, waitSeconds: 31 },
  });
  expect(answer!.rates).toEqual({ limit_requests: 3, remaining_requests: 0, reset_requests: 31 });
  await stopClock(60);
  expect(await admit(request(tenant))).toEqual(['requests']);
  await stopClock(61);
  expect(await admit(request(tenant), request(tenant))).toEqual(['held', 'requests']);
});

test('a call that is denied by a budget is not counted, and one denied by a limit holds no money', async () => {
  const tenant = await tenantWith({ requests: 1 });
  await db.query(
    `INSERT INTO budgets (tenant_id, id, scope_kind, scope_value, limit_nano, period_kind, timezone, mode) VALUES ($1, $2, 'tenant', $3, 10, 'lifetime', 'UTC', 'deny')`,
    [tenant, randomUUID(), tenant],
  );
  expect(await admit({ ...request(tenant), amount: 11n }, request(tenant), request(tenant))).toEqual(['too_large', 'held', 'requests']);
  expect(await counter(tenant)).toMatchObject([{ open: 1, requests: 1 }]);
  const { rows } = await db.query('SELECT held FROM budget_periods WHERE tenant_id = $1', [tenant]);
  expect(rows).toEqual([{ held: 1n }]);
});

test('a limit on each counts every value by itself', async () => {
  const tenant = await tenantWith({ requests: 1 }, '*');
  expect(await admit(request(tenant, 1, 'a'), request(tenant, 1, 'b'), request(tenant, 1, 'a'))).toEqual(['held', 'held', 'requests']);
});

test('a hold that is repeated is counted once', async () => {
  const tenant = await tenantWith({ requests: 5, concurrency: 5 });
  const one = request(tenant);
  expect(await admit(one)).toEqual(['held']);
  expect(await admit(one, one)).toEqual(['held', 'held']);
  expect(await counter(tenant)).toMatchObject([{ open: 1, requests: 1 }]);
});

test('in no 60 seconds, wherever they begin, are there more requests or tokens than the limit', async () => {
  const arrivals = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 40 }), tokens: fc.integer({ min: 1, max: 60 }) }), {
    minLength: 10,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(arrivals, async (calls) => {
      const tenant = await tenantWith({ requests: 5, tokens: 150 });
      const admitted: { at: number; tokens: number }[] = [];
      let at = 0;
      for (const { gap, tokens } of calls) {
        at += gap;
        await stopClock(at);
        if ((await admit(request(tenant, tokens)))[0] === 'held') admitted.push({ at, tokens });
      }
      for (const { at: start } of admitted) {
        const within = admitted.filter((call) => call.at >= start && call.at < start + 60);
        expect(within.length).toBeLessThanOrEqual(5);
        expect(within.reduce((sum, call) => sum + call.tokens, 0)).toBeLessThanOrEqual(150);
      }
      expect(admitted.length).toBeGreaterThan(0);
    }),
    { numRuns: 15 },
  );
});
