import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { Weights } from '../../src/ledger/weights.js';
import { createPool } from '../../src/platform/postgres/index.js';
import { holdRequest } from '../support/ledger.js';
import { booked, createTenant, eventually, type TestTenant } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

/** Labels of each hostile call. */
const LABELS = 32;

const { weir } = withWeir({ environment: { WEIR_MAX_BUDGETS: '20', WEIR_ROLES: 'gateway,control' }, tenant: 'none' });

describe.each([
  ['budgets', 'budgets', { limit: '1.00', period: 'day' }],
  ['rate limits', 'rate_limits', { max_requests_per_1_minute: 5 }],
])('%s', (name, path, rule) => {
  let tenant: TestTenant;
  const add = async (kind: string, value: string, key = tenant.adminKey, headers: Record<string, string> = {}) => {
    const response = await fetch(`${weir.adminUrl}/v1/organization/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ scope: { kind, value }, ...rule }),
    });
    return { status: response.status, body: (await response.json()) as { error?: { code: string; message: string } } };
  };

  beforeAll(async () => {
    tenant = await createTenant(weir);
  });

  test('there are 8 on one scope at most, also when a hundred are asked for at once, and the refusal names the bound', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => add('tag', '*')));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(8);
    const refused = answers.filter(({ status }) => status !== 200);
    for (const { status, body } of refused) expect([status, body.error!.code]).toEqual([409, 'too_many']);
    expect(refused[0]!.body.error!.message).toContain(`at most 8 ${name} on one scope`);
  });

  test('a tenant has as many as the operator lets it, and an operator may set more', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => add('session', `s${i}`)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(12);
    expect(answers.find(({ status }) => status !== 200)!.body.error!.message).toContain(`at most 20 ${name}`);
    expect((await add('session', 'of the operator', weir.operatorKey, { 'x-weir-tenant': tenant.id })).status).toBe(200);
  });
});

test('more labels than there may be on a call are refused, and the refusal names the bound', async () => {
  const tenant = await createTenant(weir);
  for (const header of ['x-weir-tags', 'x-weir-scope']) {
    const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tenant.apiKey}`,
        'content-type': 'application/json',
        [header]: Array.from({ length: 17 }, (_, i) => `l${i}`).join(','),
      },
      body: '{"model":"mock/echo","messages":[]}',
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('1 to 16 labels');
  }
});

/** Tenants of one shard. */
async function tenants(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => `${randomUUID().slice(0, -2)}00`);
  for (const id of ids) await weir.db.query(`INSERT INTO tenants (id, name) VALUES ($1, 'test')`, [id]);
  return ids;
}
const budget = (tenant: string, kind: string, value: string, limit: bigint, copies = 1) =>
  weir.db.query(
    `INSERT INTO budgets (tenant_id, id, scope_kind, scope_value, limit_nano, period_kind, timezone, mode)
     SELECT $1, gen_random_uuid(), $2, $3, $4, 'month', 'UTC', 'deny' FROM generate_series(1, $5::integer)`,
    [tenant, kind, value, limit, copies],
  );
const labels = () => Array.from({ length: LABELS }, () => ({ kind: 'tag', value: randomUUID() }));
const rows = async (tenant: string) => {
  const count = (table: string) => weir.db.query(`SELECT count(*)::int AS n FROM ${table} WHERE tenant_id = $1`, [tenant]);
  return (await Promise.all(['budget_periods', 'limit_counters', 'outbox', 'holds'].map(count))).map(({ rows: [row] }) => row.n);
};

test('refused calls write nothing, whether a budget or a limit refuses them, however many values they make up', async () => {
  const [poor, slow] = (await tenants(2)) as [string, string];
  await budget(poor, 'tag', '*', 0n, 8);
  await weir.db.query(
    `INSERT INTO limits (tenant_id, id, scope_kind, scope_value, requests_per_minute) VALUES ($1, gen_random_uuid(), 'session', '*', 0)`,
    [slow],
  );
  const pool: Pool = createPool(weir.databaseUrl, { max: 4, statementTimeoutMs: 10_000, name: 'test' });
  const ledger = new LedgerRepository(pool);
  for (let i = 0; i < 5; i++) {
    expect(await ledger.hold(poor, [holdRequest(poor, 5n, labels())])).toMatchObject([
      { verdict: 'exceeded', denial: { limit: 0n, spent: 0n } },
    ]);
    const session = [{ kind: 'session', value: randomUUID() }];
    expect(await ledger.hold(slow, [holdRequest(slow, 5n, session)])).toMatchObject([{ verdict: 'requests', limitDenial: { limit: 0 } }]);
  }
  expect([await rows(poor), await rows(slow)]).toEqual([
    [0, 0, 0, 0],
    [0, 0, 0, 0],
  ]);
  await pool.end();
});

test('how dear a call is is remembered for so many tenants and no more, and forgotten for one that is cheap again', () => {
  let now = 0;
  const weights = new Weights(() => now);
  weights.learn('t', 32, 2_400);
  expect([weights.of('t', 32), weights.of('t', 5), weights.of('u', 5)]).toEqual([2_400, 5, 5]);
  expect(weights.isDear('t', weights.of('t', 32))).toBe(true);
  weights.learn('t', 32, 10);
  expect([weights.of('t', 32), weights.ofHeld('t')]).toEqual([32, 10]);
  weights.avoid('u');
  expect(weights.isDear('u', 1)).toBe(true);
  now += 5_001;
  expect(weights.isDear('u', 1)).toBe(false);
});

describe('what Postgres refuses of one call', () => {
  let tenant: TestTenant;
  beforeAll(async () => {
    tenant = await createTenant(weir);
    await tenant.admin('POST', '/v1/organization/prices', { provider: 'mock', model: '*', input: '1', output: '2' });
    await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
    await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '5.00', period: 'lifetime' });
    await eventually(async () => (await call('echo')) === 200);
  });
  afterEach(() => weir.db.query('DROP TRIGGER IF EXISTS odd ON holds; DROP TRIGGER IF EXISTS odd ON calls'));

  /** A row that is written for a call of the model "odd" makes its statement fail with this code. */
  const fail = (table: string, model: string, code: string) =>
    weir.db.query(`
      CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'odd' USING ERRCODE = '${code}'; END $$;
      CREATE TRIGGER odd BEFORE INSERT ON ${table} FOR EACH ROW WHEN (${model} = 'mock/odd') EXECUTE FUNCTION fail()`);
  const call = async (model: string) => {
    const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: `mock/${model}`, max_tokens: 10, messages: [{ role: 'user', content: 'hello' }] }),
    });
    await response.text();
    return response.status;
  };
  /** All at once: calls of one tenant share batches. */
  const MODELS = [...Array(8).fill('echo'), 'odd', ...Array(8).fill('echo')] as string[];
  const served = (odd: number) => MODELS.map((model) => (model === 'odd' ? odd : 200));

  // Data, constraint, syntax, program limit, PL/pgSQL, internal error.
  test.each([
    ['22P02', 500],
    ['23514', 500],
    ['42883', 500],
    ['54000', 500],
    ['P0001', 500],
    ['XX000', 503],
  ])('%s: that call fails alone', async (code, status) => {
    await fail('holds', `NEW.context->>'requested_model'`, code);
    for (let round = 0; round < 5; round++) expect(await Promise.all(MODELS.map(call))).toEqual(served(status));
  });

  test('an internal error of Postgres at the booking delays that call alone, and it is booked as it was', async () => {
    const before = (await booked(weir, tenant)).length;
    await fail('calls', 'NEW.requested_model', 'XX000');
    const all = MODELS.map(call);
    await eventually(async () => (await booked(weir, tenant)).length === before + 16);
    await weir.db.query('DROP TRIGGER odd ON calls');
    expect(await Promise.all(all)).toEqual(served(200));
    await eventually(async () => (await booked(weir, tenant)).length === before + 17);
    expect((await booked(weir, tenant)).slice(before)).toEqual(
      Array(17).fill(expect.objectContaining({ status: 'completed', estimated: false })),
    );
  });
});
