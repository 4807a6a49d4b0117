import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { type Dimension, ReportsRepository, type SumQuery } from '../../src/calls/index.js';
import { bucketSpans } from '../../src/calls/usage.js';
import { RetentionRepository, RollUpsRepository } from '../../src/ledger/index.js';
import { createPool } from '../../src/platform/postgres/index.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { insertTenant } from '../support/ledger.js';

/** `npm run test:long` has them all. */
const CALLS = Number(process.env['REPORT_CALLS'] ?? 4_000);
const KEYS = 500;
const MODELS = 60;
const ZONES = ['UTC', 'America/New_York', 'Asia/Kathmandu'];
const START = Date.parse('2025-11-03T10:07:00Z') / 1000;
const END = Date.parse('2026-11-29T17:03:00Z') / 1000;

let database: TestDatabase;
let db: Pool;
let pool: Pool;
let reports: ReportsRepository;
let tenant: string;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  pool = createPool(database.url, { max: 4, statementTimeoutMs: 60_000, connectTimeoutMs: 20_000, name: 'test' });
  reports = new ReportsRepository(pool);
  await new RetentionRepository(pool).ensurePartitions();
  tenant = await insertTenant(db, []);
  await insertCalls(tenant, CALLS);
  await insertCalls(await insertTenant(db, []), 100);
});

afterAll(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

/** Calls over 13 months. Each tenth has a second attempt, each seventh a correction; some have no price, some no provider cost. */
async function insertCalls(of: string, count: number): Promise<void> {
  await db.query('SELECT setseed(0.5)');
  await db.query(
    `CREATE TEMP TABLE one AS SELECT n, gen_random_uuid() AS id, to_timestamp($2 + random() * $3) AS at, md5('key' || floor(random() * ${KEYS}))::uuid AS key,
       floor(random() * ${MODELS})::int AS model, floor(random() * 1e9)::bigint AS amount, floor(random() * 1e4)::bigint AS tokens FROM generate_series(1, $1) AS n`,
    [count, START, END - START],
  );
  await db.query(
    `INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, units, quantities, amount,
       provider_cost, lent, period_ids)
     SELECT $1, o.id, e.attempt, e.kind, o.at, o.at + e.later, md5(o.key::text)::uuid, o.key, 'p' || (o.model + e.attempt) % 3, 'm' || o.model + e.attempt % 1000, e.units,
       CASE WHEN e.units = '{}' THEN '{}' ELSE ARRAY[o.tokens, o.n] END, CASE WHEN o.n % 11 = 0 THEN NULL ELSE e.amount END, e.cost, o.n % 2 = 0, '{}'
     FROM one o CROSS JOIN LATERAL (VALUES
       (1, 'usage', interval '1 s', ARRAY[1, 2]::smallint[], o.amount, CASE WHEN o.n % 5 > 0 THEN o.amount END),
       (2, 'usage', interval '2 s', ARRAY[1, 3]::smallint[], o.amount / 2, o.amount / 2),
       (1, 'adjustment', interval '40 days', '{}'::smallint[], -o.amount / 3, NULL)) AS e (attempt, kind, later, units, amount, cost)
     WHERE (e.kind = 'usage' AND (e.attempt = 1 OR o.n % 10 = 0)) OR (e.kind = 'adjustment' AND o.n % 7 = 0)`,
    [of],
  );
  await db.query(
    `INSERT INTO calls (tenant_id, id, admitted_at, finished_at, project_id, api_key_id, surface, stream, requested_model, provider, status, http_status, estimated,
       attempts, end_user, session, tags, scopes)
     SELECT $1, id, at, at, md5(key::text)::uuid, key, CASE WHEN n % 3 = 0 THEN 'embeddings' ELSE 'messages' END, false, 'm', 'p', 'completed', 200, false, '[]',
       'user ' || n % 50, 'session ' || n % 20, CASE WHEN n % 4 = 0 THEN ARRAY['a', 'b'] ELSE '{}' END, '{}' FROM one`,
    [of],
  );
  await db.query('DROP TABLE one');
}

/** The same sums, in the plainest way: each bucket by itself, each group by itself, from the entries alone. */
async function plainly(query: SumQuery) {
  const columns: Partial<Record<Dimension, string>> = {
    api_key_id: 'api_key_id::text',
    provider: 'provider',
    model: `provider || '/' || model`,
    end_user: '(SELECT end_user FROM calls c WHERE c.tenant_id = $1 AND c.id = call_id)',
    endpoint: '(SELECT surface FROM calls c WHERE c.tenant_id = $1 AND c.id = call_id)',
  };
  const { rows } = await db.query(
    `SELECT extract(epoch FROM admitted_at)::float8 AS at, call_id AS call, kind, amount, provider_cost AS cost, lent, quantities[1] AS input, ARRAY[${['NULL', ...query.groupBy.map((by) => columns[by])].join(', ')}]::text[] AS group
     FROM ledger_entries WHERE tenant_id = $1 ORDER BY attempt`,
    [tenant],
  );
  const zero = 0n;
  return bucketSpans(query.start, query.end, query.bucketWidth, query.limit, query.timeZone).flatMap(({ start, end }) => {
    const groups = Map.groupBy(
      rows.filter(({ at }) => at >= start && at < end),
      ({ group }) => group.join('|').slice(1),
    );
    return [...groups.entries()].map(([group, entries]) => ({
      start,
      group: query.groupBy.length > 0 ? group : '',
      requests: new Set(entries.filter(({ kind }) => kind === 'usage').map(({ call }) => call)).size,
      input: Number(entries.reduce((sum, { input }) => sum + (input ?? zero), zero)),
      amount: entries.reduce((sum, { amount }) => sum + (amount ?? zero), zero),
      charged: entries.reduce((sum, { amount, kind }) => sum + (kind === 'adjustment' ? zero : (amount ?? zero)), zero),
      own: entries.reduce((sum, { cost, lent }) => sum + (lent ? zero : (cost ?? zero)), zero),
    }));
  });
}

async function reported(query: SumQuery) {
  const [usage, costs, charged] = await Promise.all([
    reports.usage(tenant, query),
    reports.costs(tenant, query, 'corrected', 'tenant'),
    reports.costs(tenant, query, 'charged', 'operator'),
  ]);
  return usage.buckets.flatMap(({ start, results }, bucket) =>
    results.map(({ group, requests, usage: { input } }, index) => ({
      start,
      group: query.groupBy.map((by) => group[by]).join('|'),
      requests,
      input,
      amount: costs.buckets[bucket]!.results[index]!.amount,
      charged: charged.buckets[bucket]!.results[index]!.amount,
      own: costs.buckets[bucket]!.results[index]!.providerCost ?? 0n,
    })),
  );
}

const sorted = (rows: { start: number; group: string }[]) => rows.sort((a, b) => a.start - b.start || (a.group < b.group ? -1 : 1));
const query = (changes: Partial<SumQuery>): SumQuery => ({
  start: START + 77,
  end: END,
  bucketWidth: '1mo',
  timeZone: 'UTC',
  groupBy: [],
  filters: {},
  limit: 500,
  ...changes,
});
const compare = async (asked: SumQuery) => expect(sorted(await reported(asked))).toEqual(sorted(await plainly(asked)));

describe.each(['before it is rolled up', 'when a part is rolled up', 'when all is rolled up'])('%s', (state) => {
  beforeAll(async () => {
    const rollUps = new RollUpsRepository(pool);
    if (state === 'when a part is rolled up') {
      await rollUps.rollUp(0.001);
      await moveClock(db, '5 minutes');
      await rollUps.rollUp(0.001);
      await db.query(`UPDATE usage_rolled SET safe_until = '2026-05-20 10:10Z'`);
      while (await rollUps.rollUp(1_000));
      await db.query(`UPDATE usage_rolled SET safe_until = seen_at - interval '1 minute'`);
    }
    if (state === 'when all is rolled up') while (await rollUps.rollUp(1_000));
  });

  test.each(ZONES)('sums by month and day in %s are those of the entries, to the nano', async (timeZone) => {
    await compare(query({ timeZone }));
    await compare(query({ timeZone, bucketWidth: '1d', groupBy: ['provider'] }));
  });

  test('sums by key and by model are those of the entries', async () => {
    await compare(query({ groupBy: ['model'], limit: 3 }));
    await compare(query({ groupBy: ['api_key_id', 'provider'], limit: 3, timeZone: 'Asia/Kathmandu' }));
    await compare(query({ start: END - 86_400, bucketWidth: '1h', groupBy: ['model'], timeZone: 'Asia/Kathmandu' }));
  });
});

test('sums by what only calls know are those of the entries', async () => {
  await compare(query({ start: END - 20 * 86_400, bucketWidth: '1d', groupBy: ['end_user', 'endpoint'] }));
});

test('a filter leaves what it says; a call with two tags counts for each', async () => {
  const span = { start: END - 20 * 86_400 };
  const all = await reported(query({ ...span, groupBy: ['end_user'] }));
  const one = await reported(query({ ...span, filters: { end_user: ['user 7'] } }));
  const { group: _, ...sums } = all.find(({ group }) => group === 'user 7')!;
  expect(one).toEqual([{ ...sums, group: '' }]);
  const tagged = await reported(query({ ...span, groupBy: ['tag'] }));
  expect(tagged.map(({ group }) => group)).toEqual(['a', 'b', '']);
  expect({ ...tagged[0], group: '' }).toEqual({ ...tagged[1], group: '' });
  expect(await reported(query({ ...span, filters: { tag: ['b', 'a'] } }))).toEqual([{ ...tagged[0], group: '' }]);
  expect(await reported(query({ ...span, groupBy: ['tag'], filters: { tag: ['b'] } }))).toEqual([tagged[1]]);
});

test('of two models that are asked for, a call that used both counts once', async () => {
  const { rows } = await db.query(
    `SELECT DISTINCT provider || '/' || model AS name FROM ledger_entries WHERE tenant_id = $1 AND call_id = (SELECT call_id FROM ledger_entries WHERE tenant_id = $1 AND attempt = 2 AND kind = 'usage' ORDER BY call_id LIMIT 1)`,
    [tenant],
  );
  const models = rows.map(({ name }) => name);
  const { rows: calls } = await db.query(
    `SELECT count(DISTINCT call_id)::int AS count FROM ledger_entries WHERE tenant_id = $1 AND kind = 'usage' AND provider || '/' || model = ANY ($2) AND admitted_at < '2026-11-01'`,
    [tenant, models],
  );
  const found = await reported(query({ start: START - 900, end: Date.parse('2026-11-01T00:00Z') / 1000, filters: { model: models } }));
  expect(models).toHaveLength(2);
  expect(found.reduce((sum, { requests }) => sum + requests, 0)).toBe(calls[0].count);
});

test('another tenant has none of it', async () => {
  const { buckets } = await reports.usage(randomUUID(), query({}));
  expect(buckets.flatMap(({ results }) => results)).toEqual([]);
});
