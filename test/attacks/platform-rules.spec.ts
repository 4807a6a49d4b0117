import { randomUUID } from 'node:crypto';
import { createScopedPool, createTenantPool, inTenantScope, sqlFunction } from '../../src/platform/postgres/index.js';
import { clientOf, type Send } from '../e2e/admin/client.js';
import { ROUTES, type Route } from '../e2e/admin/routes.js';
import { brokenInvariants } from '../support/ledger.js';
import { answer } from '../support/upstream.js';
import { addUpstream, createTenant, eventually, type TestTenant } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

const { weir, upstream } = withWeir({ tenant: 'none' });
let operator: Send;
let tenant: TestTenant;
/** Its admin, who would change what is set on it. */
let admin: Send;
/** The operator, inside the tenant. */
let inside: Send;
/** What the operator set, by the name of the path parameter that takes it. */
let rules: Record<string, string>;

beforeAll(async () => {
  operator = clientOf(weir, weir.operatorKey);
  tenant = await createTenant(weir);
  admin = clientOf(weir, tenant.adminKey);
  inside = (method, path, body, headers) => operator(method, path, body, { 'x-weir-tenant': tenant.id, ...headers });
  const made = async (path: string, body: object) => {
    const { status, body: reply } = await inside('POST', path, body);
    expect([path, status, reply]).toEqual([path, 200, expect.anything()]);
    return reply.id;
  };
  await made('/v1/organization/providers', { type: 'mock' });
  await made('/v1/organization/providers', { name: 'vendor', type: 'groq', key: 'gsk_of_the_tenant' });
  const project = await made('/v1/organization/projects', { name: 'ruled' });
  const key = await made(`/v1/organization/projects/${project}/api_keys`, {
    name: 'ruled',
    models: ['mock/echo'],
    max_cost_per_call: '0.01',
  });
  rules = {
    project_id: project,
    key_id: key,
    budget_id: await made('/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1.00', period: 'month', external_id: 'cap' }),
    rate_limit_id: await made('/v1/organization/rate_limits', { scope: { kind: 'tenant' }, max_concurrent_requests: 5 }),
    egress_rule_id: await made('/v1/organization/egress_rules', { provider: 'vendor', method: 'GET', path: '/v1/files/{id}', price: '1' }),
    price_id: await made('/v1/organization/prices', { provider: 'ruled', model: '*', input: '1', output: '2' }),
  };
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

interface Attack {
  /** The ways a tenant's admin may try to lift the rule by this route. */
  bodies: (object | undefined)[];
  /** It makes something new of the tenant's own, and no rule can be lifted by it. */
  harmless?: true;
}

const CHANGES_OF_A_BUDGET = [
  { limit: '1000.00' },
  { mode: 'observe' },
  { thresholds: [] },
  { timezone: 'Asia/Tokyo' },
  { anchor: 0 },
  { anchor: null },
  { metadata: {} },
  { set_by: 'tenant' },
  { set_by: 'operator' },
];
const CHANGES_OF_A_LIMIT = [
  { max_concurrent_requests: 500 },
  { max_concurrent_requests: null, max_requests_per_1_minute: 1 },
  { set_by: 'tenant' },
];
const CHANGES_OF_AN_EGRESS_RULE = [{ price: '0' }, { price: null }, { path: '/v1/batches/{id}' }, { set_by: 'tenant' }];
const CHANGES_OF_A_KEY = [
  { name: 'other' },
  { models: ['*'] },
  { endpoints: ['*'] },
  { cidrs: ['*'] },
  { max_cost_per_call: null },
  { disabled: true },
  { expires_at: null, metadata: { label: 'mine' } },
];
const NOTHING: Attack = { bodies: [undefined] };

/** What a tenant's admin tries, by route. A new route that writes needs a row: there is a test for that. */
const ATTACKS: Record<string, Attack> = {
  'POST /v1/organization/budgets': { bodies: [], harmless: true },
  'POST /v1/organization/budgets/{budget_id}': { bodies: CHANGES_OF_A_BUDGET },
  'PATCH /v1/organization/budgets/{budget_id}': { bodies: CHANGES_OF_A_BUDGET },
  'DELETE /v1/organization/budgets/{budget_id}': NOTHING,
  'POST /v1/organization/budgets/{budget_id}/reset': { bodies: [undefined, { reason: 'because' }] },
  'POST /v1/organization/budgets/{budget_id}/grants': { bodies: [{ amount: '1000.00' }] },
  'POST /v1/organization/rate_limits': { bodies: [], harmless: true },
  'POST /v1/organization/egress_rules': { bodies: [], harmless: true },
  'POST /v1/organization/egress_rules/{egress_rule_id}': { bodies: CHANGES_OF_AN_EGRESS_RULE },
  'PATCH /v1/organization/egress_rules/{egress_rule_id}': { bodies: CHANGES_OF_AN_EGRESS_RULE },
  'DELETE /v1/organization/egress_rules/{egress_rule_id}': NOTHING,
  'POST /v1/organization/rate_limits/{rate_limit_id}': { bodies: CHANGES_OF_A_LIMIT },
  'PATCH /v1/organization/rate_limits/{rate_limit_id}': { bodies: CHANGES_OF_A_LIMIT },
  'DELETE /v1/organization/rate_limits/{rate_limit_id}': NOTHING,
  'POST /v1/organization/prices': {
    bodies: [
      { provider: 'ruled', model: '*', input: '0', output: '0' },
      { provider: 'ruled', model: 'one', input: '0', output: '0' },
      { provider: 'ruled', model: 'one', input: '0', output: '0', effective_at: '2020-01-01T00:00:00Z' },
    ],
  },
  'POST /v1/organization/prices/rerate': { bodies: [], harmless: true },
  'POST /v1/organization/projects': { bodies: [], harmless: true },
  'POST /v1/organization/projects/{project_id}': { bodies: [], harmless: true },
  'PATCH /v1/organization/projects/{project_id}': { bodies: [], harmless: true },
  'POST /v1/organization/projects/{project_id}/archive': NOTHING,
  'POST /v1/organization/projects/{project_id}/api_keys': { bodies: [], harmless: true },
  'POST /v1/organization/projects/{project_id}/api_keys/{key_id}': { bodies: CHANGES_OF_A_KEY },
  'PATCH /v1/organization/projects/{project_id}/api_keys/{key_id}': { bodies: CHANGES_OF_A_KEY },
  // Another value is all it gets: what is set on the key stays.
  'POST /v1/organization/projects/{project_id}/api_keys/{key_id}/rotate': { bodies: [], harmless: true },
  'POST /v1/organization/projects/{project_id}/api_keys/{key_id}/revoke': NOTHING,
  'DELETE /v1/organization/projects/{project_id}/api_keys/{key_id}': NOTHING,
};

const ABOUT_RULES = /^\/v1\/organization\/(budgets|rate_limits|egress_rules|prices|projects)/;
const writes = ROUTES.filter(({ method, path }) => method !== 'GET' && ABOUT_RULES.test(path));
/** Objects whose version can be asked for. */
const HAS_ETAG = /\/(?:budgets|rate_limits|egress_rules)\/\{\w+\}$/;
const nameOf = ({ method, path }: Route) => `${method} ${path}`;

/** Everything that rules and what they count are stored in. That a key was used is noted later, by itself. */
const TABLES = [
  'budgets',
  'budget_periods',
  'grants',
  'limits',
  'egress_rules',
  'prices',
  'api_keys',
  'projects',
  'ledger_entries',
  'provider_grants',
  'tenants',
];
const stored = async () => {
  const rows = await Promise.all(
    TABLES.map((table) =>
      weir.db.query(
        `SELECT jsonb_agg(to_jsonb(t) - 'last_used_at' ORDER BY t::text) AS all FROM ${table} t WHERE to_jsonb(t) ->> 'source' IS DISTINCT FROM 'catalogue'`,
      ),
    ),
  );
  return JSON.stringify(rows.map(({ rows: [row] }) => row.all));
};

test('every route that writes near rules has a row here', () => {
  expect(writes.map(nameOf).filter((name) => !ATTACKS[name])).toEqual([]);
  expect(Object.keys(ATTACKS).filter((name) => !writes.some((route) => nameOf(route) === name))).toEqual([]);
});

const ways = writes.flatMap((route) => (ATTACKS[nameOf(route)]?.bodies ?? []).map((body) => [nameOf(route), route, body] as const));

test.each(ways)("%s: a tenant's admin changes nothing that an operator set", async (_, { method, path }, body) => {
  const filled = path.replace(/\{(\w+)\}/g, (_match, name: string) => rules[name]!);
  const before = await stored();
  const heads: Record<string, string>[] = [
    {},
    { 'if-match': '"1"' },
    { 'if-match': '"7"' },
    { 'idempotency-key': randomUUID() },
    { 'x-weir-tenant': tenant.id },
  ];
  for (const headers of heads) {
    const { status, body: reply } = await admin(method, filled, body, headers);
    const isUnchecked = 'if-match' in headers && !HAS_ETAG.test(path);
    expect([status, reply.error.code, reply.error.message]).toEqual(
      isUnchecked
        ? [400, 'invalid_request', expect.stringContaining('If-Match cannot be checked')]
        : [403, 'platform_rule', expect.stringMatching(/[Oo]nly an operator/)],
    );
  }
  expect(await stored()).toBe(before);
});

test('what an operator set is visible to the tenant, and says so', async () => {
  for (const path of [
    `budgets/${rules['budget_id']}`,
    `rate_limits/${rules['rate_limit_id']}`,
    `egress_rules/${rules['egress_rule_id']}`,
    `projects/${rules['project_id']}/api_keys/${rules['key_id']}`,
  ]) {
    expect((await admin('GET', `/v1/organization/${path}`)).body).toMatchObject({ set_by: 'operator' });
  }
  expect((await admin('GET', `/v1/organization/prices/${rules['price_id']}`)).body).toMatchObject({ source: 'operator' });
  expect((await admin('GET', `/v1/organization/budgets/${rules['budget_id']}/periods`)).status).toBe(200);
  expect((await admin('GET', `/v1/organization/budgets/${rules['budget_id']}/grants`)).status).toBe(200);
});

test("a tenant's own rules are its own, until an operator takes them over; and what is handed over is the tenant's", async () => {
  const budget = { scope: { kind: 'end_user', value: 'ann' }, limit: '1.00', period: 'month' };
  const { body: own } = await admin('POST', '/v1/organization/budgets', budget);
  expect(own).toMatchObject({ set_by: 'tenant' });
  const path = `/v1/organization/budgets/${own.id}`;
  expect((await admin('PATCH', path, { limit: '2.00' })).status).toBe(200);
  expect((await admin('PATCH', path, { set_by: 'operator' })).body.error).toMatchObject({
    code: 'platform_rule',
    param: 'set_by',
    message: 'Only an operator can change "set_by". Leave it out.',
  });
  expect((await inside('PATCH', path, { set_by: 'operator' })).body).toMatchObject({ set_by: 'operator' });
  expect((await admin('PATCH', path, { limit: '3.00' })).status).toBe(403);
  expect((await inside('PATCH', path, { set_by: 'tenant' })).body).toMatchObject({ set_by: 'tenant' });
  expect((await admin('DELETE', path)).status).toBe(200);

  const { body: limit } = await admin('POST', '/v1/organization/rate_limits', { scope: { kind: 'tenant' }, max_concurrent_requests: 9 });
  expect(limit).toMatchObject({ set_by: 'tenant' });
  expect((await inside('PATCH', `/v1/organization/rate_limits/${limit.id}`, { set_by: 'operator' })).status).toBe(200);
  expect((await admin('DELETE', `/v1/organization/rate_limits/${limit.id}`)).status).toBe(403);
});

test("an operator's Idempotency-Key is worth nothing to the tenant: it neither reads the first response again nor does it", async () => {
  const headers = { 'idempotency-key': 'known-to-the-tenant' };
  const path = `/v1/organization/budgets/${rules['budget_id']}/grants`;
  const { body: granted } = await inside('POST', path, { amount: '0.01' }, headers);
  const before = await stored();
  const { status, body } = await admin('POST', path, { amount: '0.01' }, headers);
  expect([status, body.error.code, JSON.stringify(body)]).toEqual([403, 'platform_rule', expect.not.stringContaining(granted.id)]);
  expect((await inside('POST', path, { amount: '0.01' }, headers)).body).toEqual(granted);
  expect(await stored()).toBe(before);
});

test('a key and a project that a rule is on are not retired to escape it', async () => {
  const { body: project } = await admin('POST', '/v1/organization/projects', { name: 'own' });
  const keys = `/v1/organization/projects/${project.id}/api_keys`;
  const { body: key } = await admin('POST', keys, { name: 'own' });
  const onKey = await inside('POST', '/v1/organization/budgets', { scope: { kind: 'key', value: key.id }, limit: '1.00', period: 'month' });
  for (const [method, path] of [
    ['POST', `${keys}/${key.id}/revoke`],
    ['DELETE', `${keys}/${key.id}`],
    ['POST', `/v1/organization/projects/${project.id}/archive`],
  ] as const) {
    expect([path, (await admin(method, path)).body.error.code]).toEqual([path, 'platform_rule']);
  }
  await inside('DELETE', `/v1/organization/budgets/${onKey.body.id}`);
  const onProject = { scope: { kind: 'project', value: project.id }, max_requests_per_1_minute: 5 };
  const { body: limit } = await inside('POST', '/v1/organization/rate_limits', onProject);
  expect((await admin('POST', `${keys}/${key.id}/revoke`)).status).toBe(200);
  expect((await admin('POST', `/v1/organization/projects/${project.id}/archive`)).status).toBe(403);
  await inside('DELETE', `/v1/organization/rate_limits/${limit.id}`);
  expect((await admin('POST', `/v1/organization/projects/${project.id}/archive`)).status).toBe(200);
});

test('a looser budget beside a hard cap, under the same external id, lifts nothing; nor does a price of the tenant’s', async () => {
  const poor = await createTenant(weir);
  const call = () =>
    poor.openai.chat.completions.create({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 200 });
  upstream.script = answer('hi', { prompt_tokens: 10, completion_tokens: 100, total_tokens: 110 });
  await addUpstream(poor, upstream.baseUrl);
  const head = { 'x-weir-tenant': poor.id };
  const cap = { scope: { kind: 'tenant' }, limit: '0.0005', period: 'month', external_id: 'cap' };
  expect((await operator('POST', '/v1/organization/budgets', cap, head)).status).toBe(200);
  await operator('POST', '/v1/organization/prices', { provider: 'up', model: '*', input: '1', output: '2' }, head);
  const free = { provider: 'up', model: 'test-model', input: '0', output: '0' };
  expect((await clientOf(weir, poor.adminKey)('POST', '/v1/organization/prices', free)).status).toBe(403);
  await call();
  await expect(call()).rejects.toMatchObject({ status: 402 });
  await poor.admin('POST', '/v1/organization/budgets', { ...cap, limit: '1000.00' });
  await expect(call()).rejects.toMatchObject({ status: 402 });
});

test("an operator's price in a tenant goes before those that the tenant set earlier", async () => {
  const early = await createTenant(weir);
  await addUpstream(early, upstream.baseUrl);
  await early.admin('POST', '/v1/organization/prices', { provider: 'up', model: 'test-model', input: '0', output: '0' });
  const head = { 'x-weir-tenant': early.id };
  await operator('POST', '/v1/organization/prices', { provider: 'up', model: '*', input: '7', output: '7' }, head);
  await eventually(async () => JSON.stringify(await early.openai.models.retrieve('up/test-model')).includes('"input":"7.00"'));
});

describe('Postgres itself', () => {
  const tenantPool = () => createTenantPool(weir.databaseUrl, { max: 1, statementTimeoutMs: 10_000, name: 'tenantPool' });
  const hex = (id: string) => id.replace(/^\w+_/, '').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

  test('refuses a session of a tenant’s admin what the routes refuse, and lets an operator inside the tenant', async () => {
    const pool = tenantPool();
    const scoped = createScopedPool(weir.databaseUrl, { max: 1, statementTimeoutMs: 10_000, name: 'test' }, pool);
    const id = hex(tenant.id);
    await weir.db.query(`SELECT ${sqlFunction('ensure_period')}(tenant_id, id, scope_value, weir_now()) FROM budgets WHERE id = $1`, [
      hex(rules['budget_id']!),
    ]);
    const statements: [string, unknown[]][] = [
      ['UPDATE budgets SET limit_nano = limit_nano WHERE id = $1', [hex(rules['budget_id']!)]],
      ['UPDATE budget_periods SET granted = granted WHERE budget_id = $1', [hex(rules['budget_id']!)]],
      ['UPDATE egress_rules SET price_nano = price_nano WHERE id = $1', [hex(rules['egress_rule_id']!)]],
      ['UPDATE limits SET concurrency = concurrency WHERE id = $1', [hex(rules['rate_limit_id']!)]],
      ['UPDATE api_keys SET models = models WHERE id = $1', [hex(rules['key_id']!)]],
      ['UPDATE projects SET archived_at = coalesce(archived_at, now()) WHERE id = $1', [hex(rules['project_id']!)]],
      ['UPDATE tenants SET unpriced_call_nano = coalesce(unpriced_call_nano, 0) + 1 WHERE id = $1', [id]],
      [
        `SELECT ${sqlFunction('grant_period')}($1::uuid, $2, 'ten_' || replace($1::uuid::text, '-', ''), $3, 1, 'a', NULL)`,
        [id, hex(rules['budget_id']!), randomUUID()],
      ],
      [
        `SELECT ${sqlFunction('reset_period')}($1::uuid, $2, 'ten_' || replace($1::uuid::text, '-', ''), 'a', NULL, $3)`,
        [id, hex(rules['budget_id']!), randomUUID()],
      ],
    ];
    const run = async (actsAs: 'operator' | 'tenant', text: string, values: unknown[]) =>
      inTenantScope({ tenantId: id, actsAs, statementTimeoutMs: 10_000 }, async () => {
        const client = await scoped.connect();
        try {
          await client.query('BEGIN');
          return (await client.query(text, values)).rowCount;
        } finally {
          await client.query('ROLLBACK');
          client.release();
        }
      });
    for (const [text, values] of statements) {
      await expect(run('tenant', text, values)).rejects.toMatchObject({ code: 'WR001' });
      expect([text, await run('operator', text, values)]).toEqual([text, expect.any(Number)]);
      expect(await run('operator', text, values)).toBeGreaterThan(0);
    }
    await Promise.all([scoped.end(), pool.end()]);
  });
});
