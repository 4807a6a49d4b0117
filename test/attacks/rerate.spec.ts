import { createScopedPool, createTenantPool, inTenantScope, sqlFunction } from '../../src/platform/postgres/index.js';
import { clientOf, type Send } from '../e2e/admin/client.js';
import { brokenInvariants } from '../support/ledger.js';
import { answer } from '../support/upstream.js';
import { createTenant, eventually, type TestTenant } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

const { weir, upstream } = withWeir({ tenant: 'none' });
let operator: Send;
/** The platform's record that is lent. */
let lent: string;

/** What each call costs at the provider: a thousand tokens at $1 each thousand. */
const USAGE = { prompt_tokens: 1_000, completion_tokens: 0, total_tokens: 1_000 };
const DEAR = { input: '1000', output: '0' };

beforeAll(async () => {
  operator = clientOf(weir, weir.operatorKey);
  upstream.script = answer('hi', USAGE);
  const house = { type: 'openai', name: 'house', base_url: upstream.baseUrl, key: 'sk-house', models: ['test-model'] };
  lent = (await operator('POST', '/v1/platform/credentials', house)).body.id;
  await operator('POST', '/v1/platform/prices', { provider: 'openai', model: 'test-model', ...DEAR });
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

const RERATE = '/v1/organization/prices/rerate';
const tenantIdOf = ({ id }: TestTenant) => id.replace(/^ten_(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** A tenant that is lent the platform's provider, under a hard cap of the operator's. */
async function borrower(limit = '2.00') {
  const tenant = await createTenant(weir);
  const admin = clientOf(weir, tenant.adminKey);
  const inside: Send = (method, path, body) => operator(method, path, body, { 'x-weir-tenant': tenant.id });
  await operator('POST', `/v1/platform/credentials/${lent}/grants`, { tenant: tenant.id });
  await inside('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit, period: 'month' });
  await served(tenant, 'house');
  const call = (provider = 'house') =>
    tenant.openai.chat.completions.create({
      model: `${provider}/test-model`,
      messages: [{ role: 'user', content: 'Hello' }],
      max_tokens: 10,
    });
  const spent = async () => (await admin('GET', '/v1/organization/budgets')).body.data[0]!.current_period.spent;
  return { tenant, admin, inside, call, spent };
}

/** Waits until the gateway knows a provider of the tenant. */
const served = (tenant: TestTenant, provider: string) =>
  eventually(() => tenant.openai.models.retrieve(`${provider}/test-model`).then(Boolean, () => false));

/** A provider of the tenant's own, which costs nothing by its own word. */
async function own({ tenant, admin }: Pick<Awaited<ReturnType<typeof borrower>>, 'tenant' | 'admin'>, name: string, input = '0') {
  const { body } = await admin('POST', '/v1/organization/providers', {
    type: 'openai',
    name,
    base_url: upstream.baseUrl,
    key: 'sk-own',
    models: ['test-model'],
  });
  await admin('POST', '/v1/organization/prices', { provider: name, model: '*', input, output: '0', effective_at: '2020-01-01T00:00:00Z' });
  await served(tenant, name);
  return body.id;
}

const entries = async (tenant: TestTenant) =>
  (await weir.db.query('SELECT kind, amount FROM ledger_entries WHERE tenant_id = $1 ORDER BY booked_at, kind', [tenantIdOf(tenant)])).rows;

test("a tenant's own provider with a lent one's name and price 0 erases nothing of what the platform paid", async () => {
  const it = await borrower();
  await it.call();
  await it.call();
  expect(await it.spent()).toBe('2.00');
  const twin = await own(it, 'house');
  const before = await entries(it.tenant);
  for (const fields of [{}, { provider: 'house' }, { model: 'test-model' }, { reason: 'my price list' }]) {
    for (const dry_run of [true, false]) {
      const { status, body } = await it.admin('POST', RERATE, { start_time: 0, dry_run, ...fields });
      expect([status, body.error?.code]).toEqual([403, 'platform_rule']);
    }
  }
  expect(await entries(it.tenant)).toEqual(before);
  expect(await it.spent()).toBe('2.00');
  await it.admin('DELETE', `/v1/organization/providers/${twin}`);
  await expect(it.call()).rejects.toMatchObject({ status: 402 });
  expect((await it.admin('GET', '/v1/organization/calls')).body.data).toMatchObject([{ lent: true }, { lent: true }]);
});

test('an operator re-rates lent calls by the platform’s prices only, whoever has the name today', async () => {
  const it = await borrower('100.00');
  await it.call();
  await own(it, 'house');
  await it.call();
  expect(await it.spent()).toBe('1.00');
  const asked = { start_time: 0, dry_run: false };
  expect((await it.inside('POST', RERATE, asked)).body).toMatchObject({ calls: 2, changed: 0, unpriced: 0, difference: '0.00' });

  await it.inside('POST', '/v1/organization/prices', {
    provider: 'house',
    model: 'test-model',
    input: '500',
    output: '0',
    effective_at: '2020-01-01T00:00:00Z',
  });
  const dry = (await it.inside('POST', RERATE, { start_time: 0 })).body as unknown as Record<string, unknown>;
  const replies = await Promise.all(Array.from({ length: 3 }, () => it.inside('POST', RERATE, asked)));
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(dry).toMatchObject({ calls: 2, dry_run: true });
  const { rows } = await weir.db.query(
    `SELECT c.lent, sum(l.amount)::text AS amount FROM calls c JOIN ledger_entries l ON l.tenant_id = c.tenant_id AND l.call_id = c.id
     WHERE c.tenant_id = $1 GROUP BY c.id, c.lent ORDER BY c.lent DESC`,
    [tenantIdOf(it.tenant)],
  );
  expect(rows[0]).toEqual({ lent: true, amount: '500000000' });
  expect((await it.inside('POST', RERATE, asked)).body).toMatchObject({ changed: 0, difference: '0.00' });
});

test('a dry run says what the real run then does', async () => {
  const it = await borrower('100.00');
  await own(it, 'mine', '1000');
  await it.call('mine');
  await it.call('mine');
  await it.admin('POST', '/v1/organization/prices', {
    provider: 'mine',
    model: 'test-model',
    input: '250',
    output: '0',
    effective_at: '2020-01-01T00:00:00Z',
  });
  const { dry_run: _dry, ...dry } = (await it.admin('POST', RERATE, { start_time: 0 })).body as unknown as Record<string, unknown>;
  const { dry_run: _real, ...real } = (await it.admin('POST', RERATE, { start_time: 0, dry_run: false })).body as unknown as Record<
    string,
    unknown
  >;
  expect(real).toEqual(dry);
  expect(real).toMatchObject({ calls: 2, changed: 2, difference: '-1.50' });
  expect(await it.spent()).toBe('0.50');
});

test('a tenant re-rates its own calls, also beside lent ones, and a price of its own never counts for those', async () => {
  const it = await borrower('100.00');
  await it.call();
  await own(it, 'mine', '1000');
  await it.call('mine');
  expect(await it.spent()).toBe('2.00');
  await it.admin('POST', '/v1/organization/prices', {
    provider: 'mine',
    model: 'test-model',
    input: '500',
    output: '0',
    effective_at: '2020-01-01T00:00:00Z',
  });
  expect((await it.admin('POST', RERATE, { start_time: 0, dry_run: false })).status).toBe(403);
  expect((await it.admin('POST', RERATE, { start_time: 0, dry_run: false, provider: 'mine' })).body).toMatchObject({
    calls: 1,
    difference: '-0.50',
  });
  expect(await it.spent()).toBe('1.50');
});

test('a provider that was removed, and one that was made again under its name, leave old calls to who paid for them', async () => {
  const it = await borrower('100.00');
  const first = await own(it, 'mine', '1000');
  await it.call('mine');
  await it.admin('DELETE', `/v1/organization/providers/${first}`);
  const taken = await operator('POST', '/v1/platform/credentials', {
    type: 'openai',
    name: 'mine',
    base_url: upstream.baseUrl,
    key: 'sk-mine',
    models: ['test-model'],
  });
  await operator('POST', `/v1/platform/credentials/${taken.body.id}/grants`, { tenant: it.tenant.id });
  await served(it.tenant, 'mine');
  await it.admin('POST', '/v1/organization/prices', {
    provider: 'mine',
    model: '*',
    input: '100',
    output: '0',
    effective_at: '2020-01-02T00:00:00Z',
  });
  // It was the tenant's own, and it is: its own price counts.
  expect((await it.admin('POST', RERATE, { start_time: 0, dry_run: false, provider: 'mine' })).body).toMatchObject({
    calls: 1,
    difference: '-0.90',
  });
  await it.call('mine');
  // Withdrawn: what it cost stays the platform's word.
  await operator('DELETE', `/v1/platform/credentials/${taken.body.id}`);
  await own(it, 'mine');
  expect((await it.admin('POST', RERATE, { start_time: 0, dry_run: false })).status).toBe(403);
  expect((await it.inside('POST', RERATE, { start_time: 0, dry_run: false })).body).toMatchObject({ calls: 2, unpriced: 0 });
  const { rows } = await weir.db.query(
    `SELECT sum(l.amount)::text AS amount FROM calls c JOIN ledger_entries l ON l.tenant_id = c.tenant_id AND l.call_id = c.id
     WHERE c.tenant_id = $1 AND c.lent GROUP BY c.id`,
    [tenantIdOf(it.tenant)],
  );
  expect(rows).toEqual([{ amount: '1000000000' }]);
});

test('of calls from before payers were noted, a tenant re-rates none whose name the platform ever had', async () => {
  const it = await borrower('100.00');
  await it.call();
  await own(it, 'never-lent', '1000');
  await it.call('never-lent');
  await weir.db.query('UPDATE calls SET lent = NULL, provider_id = NULL WHERE tenant_id = $1', [tenantIdOf(it.tenant)]);
  await own(it, 'house');
  expect((await it.admin('POST', RERATE, { start_time: 0, dry_run: false, provider: 'house' })).status).toBe(403);
  expect((await it.inside('POST', RERATE, { start_time: 0, dry_run: false, provider: 'house' })).body).toMatchObject({
    calls: 1,
    changed: 0,
    unpriced: 0,
  });
  await it.admin('POST', '/v1/organization/prices', {
    provider: 'never-lent',
    model: 'test-model',
    input: '0',
    output: '0',
    effective_at: '2020-01-02T00:00:00Z',
  });
  expect((await it.admin('POST', RERATE, { start_time: 0, dry_run: false, provider: 'never-lent' })).body).toMatchObject({
    calls: 1,
    difference: '-1.00',
  });
});

test('Postgres itself refuses a session of a tenant’s admin an adjustment of a lent call', async () => {
  const it = await borrower();
  await it.call();
  const tenantId = tenantIdOf(it.tenant);
  const [call] = (await weir.db.query('SELECT id, admitted_at::text AS at FROM calls WHERE tenant_id = $1', [tenantId])).rows;
  const tenantPool = createTenantPool(weir.databaseUrl, { max: 1, statementTimeoutMs: 10_000, name: 'tenantPool' });
  const scoped = createScopedPool(weir.databaseUrl, { max: 1, statementTimeoutMs: 10_000, name: 'test' }, tenantPool);
  const adjust = (actsAs: 'operator' | 'tenant') =>
    inTenantScope({ tenantId, actsAs, statementTimeoutMs: 10_000 }, () =>
      scoped.query(
        `SELECT ${sqlFunction('adjust_calls')}($1, ARRAY[$2::uuid], ARRAY[$3::timestamptz], ARRAY[1], ARRAY[1], ARRAY[-1::bigint], ARRAY[NULL::uuid], ARRAY['{}'::jsonb], 'a', NULL)`,
        [tenantId, call.id, call.at],
      ),
    );
  await expect(adjust('tenant')).rejects.toMatchObject({ code: 'WR001' });
  expect((await adjust('operator')).rowCount).toBe(1);
  await Promise.all([scoped.end(), tenantPool.end()]);
});

test('an estimate of what nobody saw stays booked when a call is re-rated', async () => {
  const it = await borrower('100.00');
  await own(it, 'mine', '1000');
  await it.call('mine');
  const values = [tenantIdOf(it.tenant)];
  // As if it had been booked at its hold: two dollars more than its tokens come to.
  await weir.db.query(`UPDATE ledger_entries SET amount = amount + 2000000000 WHERE tenant_id = $1 AND kind = 'usage'`, values);
  await weir.db.query('UPDATE budget_periods SET spent = spent + 2000000000, limit_nano = limit_nano WHERE tenant_id = $1', values);
  const price = { provider: 'mine', model: 'test-model', input: '0', output: '0', effective_at: '2020-01-01T00:00:00Z' };
  await it.admin('POST', '/v1/organization/prices', price);
  for (let round = 0; round < 2; round++) await it.admin('POST', RERATE, { start_time: 0, dry_run: false });
  expect(await it.spent()).toBe('2.00');
});

test("the audit names an adjustment of a lent call that a tenant's admin made all the same", async () => {
  const it = await borrower();
  await it.call();
  const tenantId = tenantIdOf(it.tenant);
  const [call] = (await weir.db.query('SELECT id, admitted_at::text AS at FROM calls WHERE tenant_id = $1', [tenantId])).rows;
  const [key] = (await weir.db.query('SELECT id FROM admin_keys WHERE tenant_id = $1', [tenantId])).rows;
  await weir.db.query(
    `SELECT ${sqlFunction('adjust_calls')}($1, ARRAY[$2::uuid], ARRAY[$3::timestamptz], ARRAY[1], ARRAY[1], ARRAY[0::bigint], ARRAY[NULL::uuid], ARRAY['{}'::jsonb], $4, NULL)`,
    [tenantId, call.id, call.at, `akey_${key.id.replaceAll('-', '')}`],
  );
  expect(await brokenInvariants(weir.db)).toEqual([
    expect.stringMatching(/^I6: Call_.* the platform lends, but akey_.*, an admin key of the tenant, adjusted it/),
  ]);
  await weir.db.query(`DELETE FROM ledger_entries WHERE call_id = $1 AND kind = 'adjustment'`, [call.id]);
});

test('a refused re-rating and what re-rating changed are counted', async () => {
  const metrics = await (await fetch(`${weir.adminUrl}/metrics`)).text();
  const figure = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
  expect(figure('weir_rerate_refused_total')).toBeGreaterThan(0);
  expect(figure('weir_rerate_lowered_usd_total')).toBeGreaterThan(0);
  expect(figure('weir_rerate_raised_usd_total')).toBeGreaterThanOrEqual(0);
});
