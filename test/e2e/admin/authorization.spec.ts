import { randomBytes } from 'node:crypto';
import { Controller, Get } from '@nestjs/common';
import { Access, undeclaredRoutes } from '../../../src/control/http/access.js';
import { newId, parsePublicId, publicId } from '../../../src/kernel/ids.js';
import { ROLES } from '../../../src/kernel/permissions.js';
import { addApproval } from '../../support/approvals.js';
import { LoginServer } from '../../support/login-server.js';
import { createTenant, eventually, type TestTenant } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';
import { COPILOT } from '../providers/subscriptions.js';
import { type AdminReply, addMock, clientOf, makeCall, type Send } from './client.js';
import { ROUTES, type Route } from './routes.js';

let login: LoginServer;
const { weir } = withWeir({
  environment: async () => {
    login = await LoginServer.start();
    COPILOT.wait(login);
    return {
      OPENAI_API_KEY: 'sk-platform-secret',
      WEIR_EGRESS_ALLOW: login.hostPort,
      WEIR_CONNECTIONS: JSON.stringify({ copilot: { client_id: 'client', login_url: `http://${login.hostPort}` } }),
    };
  },
  tenant: 'none',
});
let alice: TestTenant;
let bob: TestTenant;
let operator: Send;
/** Of Alice and the platform, by the name of the path parameter that takes them. No test changes what they name. */
let standing: Ids;

beforeAll(async () => {
  [alice, bob] = [await createTenant(weir), await createTenant(weir)];
  operator = clientOf(weir, weir.operatorKey);
  for (const tenant of [alice, bob]) {
    await addMock(tenant);
    await tenant.admin('POST', '/v1/organization/providers', VENDOR);
    await tenant.admin('PUT', '/v1/organization/sso', SSO);
  }
  const credentials = await operator('GET', '/v1/platform/credentials');
  const prices = await operator('GET', '/v1/platform/prices?limit=1');
  const platform = {
    ...(await newSilentGateway()),
    tenant_id: alice.id,
    credential_id: credentials.body.data[0]!.id,
    ...(await newPlatformRoute()),
    ...(await newPlatformDelivery()),
    platform_price_id: prices.body.data[0]!.id,
    operator_id: await newPerson(null),
    operator_invite_id: await newOperatorInvite(),
    session_id: `asess_${'0'.repeat(32)}`,
  };
  const operatorKeys = await operator('GET', '/v1/platform/operator_keys');
  standing = {
    ...platform,
    operator_key_id: operatorKeys.body.data[0]!.id,
    call_id: await makeCall(alice),
    ...(await newResources('')),
    ...(await newResources('{webhook_id}')),
  };
});

afterAll(async () => {
  await login.stop();
});

type Ids = Record<string, string>;

/** A valid body for each route that takes one. A new route needs a line here. */
const BODIES: Record<string, () => object> = {
  'POST /v1/platform/tenants': () => ({ name: 'someone' }),
  'POST /v1/platform/operator_keys': () => ({ name: unique() }),
  'POST /v1/organization/admin_api_keys': () => ({ name: unique() }),
  'POST /v1/organization/admin_api_keys/{admin_key_id}': () => ({ name: unique() }),
  'PATCH /v1/organization/admin_api_keys/{admin_key_id}': () => ({ name: unique() }),
  'POST /v1/platform/operator_keys/{operator_key_id}': () => ({ name: unique() }),
  'PATCH /v1/platform/operator_keys/{operator_key_id}': () => ({ name: unique() }),
  'POST /v1/platform/invites': () => ({ email: `${unique()}@example.com` }),
  'POST /v1/platform/users/{operator_id}': () => ({ name: unique() }),
  'PATCH /v1/platform/users/{operator_id}': () => ({ name: unique() }),
  'POST /v1/platform/sign_in_links': () => ({ user: standing['user_id'] }),
  'POST /v1/organization/invites': () => ({ email: `${unique()}@example.com`, role: 'viewer' }),
  'POST /v1/organization/users/{user_id}': () => ({ role: 'admin' }),
  'PATCH /v1/organization/users/{user_id}': () => ({ role: 'billing' }),
  'POST /scim/v2/Users': () => ({ userName: `${unique()}@example.com` }),
  'PUT /scim/v2/Users/{user_id}': () => ({ userName: `${unique()}@example.com` }),
  'PATCH /scim/v2/Users/{user_id}': () => ({ Operations: [{ op: 'replace', path: 'displayName', value: unique() }] }),
  'PUT /v1/organization/sso': () => SSO,
  'POST /v1/auth/me': () => ({ name: unique() }),
  'PATCH /v1/auth/me': () => ({ name: unique() }),
  'POST /v1/auth/password': () => ({ new_password: 'another horse battery' }),
  'POST /v1/auth/totp/confirm': () => ({ code: '123456' }),
  'POST /v1/auth/totp/remove': () => ({ code: '123456' }),
  'POST /v1/platform/prices': () => ({ provider: 'mock', model: 'm', input: '1', output: '1' }),
  'POST /v1/platform/prices/catalogue': () => ({
    source: 'test',
    prices: [{ provider: 'mock', model: unique(), input: '1', output: '1' }],
  }),
  'POST /v1/platform/credentials': () => ({ type: 'groq', name: unique() }),
  'POST /v1/platform/credentials/{credential_id}': () => ({ models: ['m'] }),
  'PATCH /v1/platform/credentials/{credential_id}': () => ({ models: ['m'] }),
  'POST /v1/platform/credentials/{credential_id}/keys': () => ({ key: 'sk-platform-too' }),
  'POST /v1/platform/credentials/{credential_id}/grants': () => ({ tenant: alice.id }),
  'POST /v1/organization/projects': () => ({ name: unique() }),
  'POST /v1/organization/projects/{project_id}': () => ({ name: unique() }),
  'PATCH /v1/organization/projects/{project_id}': () => ({ name: unique() }),
  'POST /v1/organization/projects/{project_id}/api_keys': () => ({ name: 'k' }),
  'POST /v1/organization/projects/{project_id}/api_keys/{key_id}': () => ({ name: unique() }),
  'PATCH /v1/organization/projects/{project_id}/api_keys/{key_id}': () => ({ name: unique() }),
  'POST /v1/organization/providers': () => ({ type: 'groq', name: unique() }),
  'POST /v1/organization/providers/{provider_id}': () => ({ models: ['m'] }),
  'PATCH /v1/organization/providers/{provider_id}': () => ({ models: ['m'] }),
  'POST /v1/organization/providers/{provider_id}/keys': () => ({ key: 'sk-alice-too' }),
  'POST /v1/organization/prices': () => ({ provider: 'mock', model: unique(), input: '1', output: '1' }),
  'POST /v1/organization/models': () => ({ provider: 'mock', model: unique(), vision: false }),
  'PUT /v1/organization/inference': () => ({ ...INFERENCE, timeout_ms: ++count }),
  'PUT /v1/platform/inference': () => ({ provider: 'openai', model: 'any', verify: false, timeout_ms: ++count }),
  'POST /v1/organization/inference/bindings': newCertificate,
  'POST /v1/platform/tenants/{tenant_id}/inference/bindings': newListener,
  'POST /v1/organization/budgets': () => ({ scope: { kind: 'tenant' }, limit: '1.00', period: 'month' }),
  'POST /v1/organization/budgets/{budget_id}': () => ({ limit: '2.00' }),
  'PATCH /v1/organization/budgets/{budget_id}': () => ({ limit: '2.00' }),
  'POST /v1/organization/budgets/{budget_id}/grants': () => ({ amount: '1.00' }),
  'POST /v1/organization/rate_limits': () => ({ scope: { kind: 'tenant' }, max_concurrent_requests: 100 }),
  'POST /v1/organization/rate_limits/{rate_limit_id}': () => ({ max_concurrent_requests: 200 }),
  'PATCH /v1/organization/rate_limits/{rate_limit_id}': () => ({ max_concurrent_requests: 200 }),
  'POST /v1/organization/models/resolve': () => ({ model: 'mock/echo' }),
  'POST /v1/organization/routes': () => newRoute('mock/echo'),
  'POST /v1/organization/routes/{route_id}': () => ({ attempts: 2 }),
  'PATCH /v1/organization/routes/{route_id}': () => ({ attempts: 3 }),
  'POST /v1/platform/routes': () => newRoute('openai/any'),
  'POST /v1/platform/routes/{platform_route_id}': () => ({ attempts: 2 }),
  'PATCH /v1/platform/routes/{platform_route_id}': () => ({ attempts: 3 }),
  'POST /v1/organization/egress_rules': newEgressRule,
  'POST /v1/organization/egress_rules/{egress_rule_id}': () => ({ price: '0.01' }),
  'PATCH /v1/organization/egress_rules/{egress_rule_id}': () => ({ price: '0.02' }),
  'POST /v1/organization/prices/rerate': () => ({ start_time: 1795000000 }),
  'POST /v1/platform/gateways/{gateway_id}/forget': () => ({ reason: 'its machine is gone' }),
  'POST /v1/platform/tenants/{tenant_id}': () => ({ metadata: { label: unique() } }),
  'PATCH /v1/platform/tenants/{tenant_id}': () => ({ metadata: { label: unique() } }),
  'POST /v1/organization/webhooks': newWebhook,
  'POST /v1/organization/webhooks/{webhook_id}': () => ({ name: unique() }),
  'PATCH /v1/organization/webhooks/{webhook_id}': () => ({ name: unique() }),
  'POST /v1/platform/webhooks': newWebhook,
  'POST /v1/platform/webhooks/{platform_webhook_id}': () => ({ name: unique() }),
  'PATCH /v1/platform/webhooks/{platform_webhook_id}': () => ({ name: unique() }),
  'POST /v1/organization/settings': () => ({ keep_answers: true }),
  'PATCH /v1/organization/settings': () => ({ keep_answers: true }),
};
/** A provider that is asked, and is not there. */
const NOWHERE = 'https://provider.invalid/v1';
const WITHOUT_BODY = /\/(probe|archive|revoke|reset|connection|poll|suspend|resume|rotate|approve|reject|test|replay|sign_out|totp)$/;
const QUERIES: Record<string, string> = {
  '/v1/organization/usage/completions': '?start_time=1795000000',
  '/v1/organization/costs': '?start_time=1795000000',
};

const SSO = { issuer: 'https://login.example.com', client_id: 'weir', client_secret: 'secret of alice', verify: false };

const INFERENCE = { provider: 'mock', model: 'echo', verify: false };
function newCertificate() {
  return { kind: 'client_certificate', value: randomBytes(32).toString('hex') };
}
const VENDOR = { name: 'vendor', type: 'groq', key: 'gsk_of_a_tenant' };
/** Of a provider at its vendor's own address: only an operator sets rules for others. */
function newEgressRule() {
  return { provider: 'vendor', method: 'GET', path: `/v1/files/${unique()}` };
}
function newListener() {
  return { kind: 'listener', value: unique() };
}

let count = 0;
const unique = (): string => `name-${++count}`;

/** Resources of Alice's that may be changed and removed, which a route needs. */
async function newResources(path: string): Promise<Ids> {
  if (path.includes('{webhook_id}')) {
    const [webhook, delivery] = await newDelivery((...request) => alice.admin(...request), '/v1/organization/webhooks');
    return { webhook_id: webhook, delivery_id: delivery };
  }
  const made = async (path: string, body: object) => ((await alice.admin('POST', path, body)) as { id: string }).id;
  const project = await made('/v1/organization/projects', { name: unique() });
  const provider = await alice.admin<{ id: string; keys: { id: string }[] }>('POST', '/v1/organization/providers', {
    type: 'openai',
    name: unique(),
    base_url: NOWHERE,
    key: 'sk-alice',
  });
  const subscription = await made('/v1/organization/providers', { type: 'copilot', name: unique() });
  await alice.admin('POST', `/v1/organization/providers/${subscription}/connection`);
  await alice.admin('PUT', '/v1/organization/inference', INFERENCE);
  await alice.admin('PUT', '/v1/organization/sso', SSO);
  await alice.admin('POST', '/v1/organization/settings', { keep_answers: false });
  return {
    project_id: project,
    subscription_id: subscription,
    admin_key_id: await made('/v1/organization/admin_api_keys', { name: unique() }),
    key_id: await made(`/v1/organization/projects/${project}/api_keys`, { name: 'k' }),
    provider_id: provider.id,
    provider_key_id: provider.keys[0]!.id,
    price_id: await made('/v1/organization/prices', { provider: 'mock', model: 'm', input: '1', output: '1' }),
    model_id: await made('/v1/organization/models', { provider: 'mock', model: unique(), tools: true }),
    user_id: await newPerson(alice.id),
    invite_id: await made('/v1/organization/invites', { email: `${unique()}@example.com`, role: 'viewer' }),
    binding_id: await made('/v1/organization/inference/bindings', newCertificate()),
    route_id: await made('/v1/organization/routes', newRoute('mock/echo')),
    egress_rule_id: await made('/v1/organization/egress_rules', newEgressRule()),
    rate_limit_id: await made('/v1/organization/rate_limits', { scope: { kind: 'project', value: project }, max_concurrent_requests: 100 }),
    approval_id: await addApproval(weir.db, alice.id, project),
    budget_id: await made('/v1/organization/budgets', { scope: { kind: 'project', value: project }, limit: '1.00', period: 'month' }),
  };
}

/** What a route for operators may change and remove. */
async function newForOperators({ path }: Route): Promise<Ids> {
  if (path.endsWith('/grants/{tenant_id}')) return newPlatformGrant();
  if (path.includes('{credential')) return newPlatformCredential();
  if (path.includes('{operator_key_id}'))
    return { operator_key_id: (await operator('POST', '/v1/platform/operator_keys', { name: unique() })).body.id };
  if (path.includes('{operator_id}')) return { operator_id: await newPerson(null) };
  if (path.includes('{operator_invite_id}')) return { operator_invite_id: await newOperatorInvite() };
  if (path.includes('{gateway_id}')) return newSilentGateway();
  if (path.includes('{platform_route_id}')) return newPlatformRoute();
  if (path.includes('{platform_webhook_id}')) return newPlatformDelivery();
  if (path.includes('{binding_id}'))
    return { binding_id: (await operator('POST', `/v1/platform/tenants/${alice.id}/inference/bindings`, newListener())).body.id };
  if (!path.startsWith('/v1/platform/tenants/')) return {};
  const { id } = await createTenant(weir);
  if (!path.endsWith('/suspend')) await operator('POST', `/v1/platform/tenants/${id}/suspend`);
  return { tenant_id: id };
}

/** A gateway that was heard of a day ago, and for whose calls money is held apart. */
async function newSilentGateway(): Promise<Ids> {
  const id = newId();
  await weir.db.query(`INSERT INTO gateways (id, host, process_id, started_at) VALUES ($1, 'gone', 1, now() - interval '1 day')`, [id]);
  const tenant = parsePublicId('tenant', alice.id);
  await weir.db.query(`INSERT INTO held_apart VALUES ($1, $2, $3, 0, '{}', now() - interval '1 day')`, [newId(), tenant, id]);
  return { gateway_id: publicId('gateway', id) };
}

function newWebhook() {
  return { name: unique(), url: NOWHERE };
}

/** A webhook of an owner that may be changed and removed, and what it was sent. */
async function newDelivery(
  send: (method: string, path: string, body?: object) => Promise<{ id: string }>,
  path: string,
): Promise<[string, string]> {
  const { id } = await send('POST', path, newWebhook());
  const delivery = await send('POST', `${path}/${id}/test`);
  await weir.db.query(`UPDATE webhook_deliveries SET state = 'dead', ended_at = now() WHERE id = $1`, [
    parsePublicId('delivery', delivery.id),
  ]);
  return [id, delivery.id];
}

/** The same of the platform's. */
async function newPlatformDelivery(): Promise<Ids> {
  const [webhook, delivery] = await newDelivery(async (...request) => (await operator(...request)).body, '/v1/platform/webhooks');
  return { platform_webhook_id: webhook, platform_delivery_id: delivery };
}

/** A viewer of a tenant, or an operator, without a password. */
async function newPerson(tenantId: string | null): Promise<string> {
  const id = newId();
  await weir.db.query(`INSERT INTO people (id, tenant_id, email, name, role, created_at) VALUES ($1, $2, $3, 'Somebody', $4, now())`, [
    id,
    tenantId && parsePublicId('tenant', tenantId),
    `${unique()}@example.com`,
    tenantId === null ? 'operator' : 'viewer',
  ]);
  return publicId('person', id);
}

const newOperatorInvite = async (): Promise<string> =>
  (await operator('POST', '/v1/platform/invites', { email: `${unique()}@example.com` })).body.id;

const newRoute = (model: string) => ({ name: unique(), match: { kind: 'exact', value: unique() }, targets: [{ model }] });

/** A route of the platform's that may be changed and removed. */
async function newPlatformRoute(): Promise<Ids> {
  return { platform_route_id: (await operator('POST', '/v1/platform/routes', newRoute('openai/any'))).body.id };
}

/** A credential of the platform's that may be changed and removed. */
async function newPlatformCredential(): Promise<Ids> {
  const fields = { type: 'openai', name: unique(), base_url: NOWHERE, key: 'sk-platform' };
  const { body } = await operator('POST', '/v1/platform/credentials', fields);
  return { credential_id: body.id, credential_key_id: body.keys[0]!.id };
}

/** One that Alice may use. */
async function newPlatformGrant(): Promise<Ids> {
  const made = await newPlatformCredential();
  await operator('POST', `/v1/platform/credentials/${made['credential_id']}/grants`, { tenant: alice.id });
  return { ...made, tenant_id: alice.id };
}

function requestOf({ method, path }: Route, ids = standing): { path: string; body: object | undefined } {
  const named = path
    .replace(/^(\/v1\/platform\/prices\/){price_id}/, '$1{platform_price_id}')
    .replace(/{provider_id}(?=\/connection)/, '{subscription_id}');
  const body = BODIES[`${method} ${path}`];
  if (!body && ['POST', 'PUT', 'PATCH'].includes(method) && !WITHOUT_BODY.test(path)) throw new Error(`no body for ${method} ${path}`);
  return { path: named.replace(/\{(\w+)\}/g, (_, name: string) => ids[name]!) + (QUERIES[path] ?? ''), body: body?.() };
}

/** Writes that change nothing here: they ask, send once more, find no call to rate anew, or give the prices that a release gives. */
const CHANGES_NOTHING = /\/(probe|test|replay|resolve|poll|rerate|prices\/catalog\w+)$/;

/** As SCIM has it; all others answer 200. */
const DONE: Record<string, number> = { 'POST /scim/v2/Users': 201, 'DELETE /scim/v2/Users/{user_id}': 204 };
const doneBy = ({ method, path }: Pick<Route, 'method' | 'path'>): number => DONE[`${method} ${path}`] ?? 200;

/** It was done, and if it may have changed something, the audit log has a line of this request. */
async function expectDone({ method, path }: Route, reply: AdminReply): Promise<void> {
  expect(reply).toMatchObject({ status: doneBy({ method, path }) });
  if (method === 'GET' || CHANGES_NOTHING.test(path)) return;
  const { rowCount } = await weir.db.query('SELECT FROM audit_log WHERE request_id = $1', [reply.headers.get('x-request-id')]);
  expect([method, path, rowCount]).not.toEqual([method, path, 0]);
}

/** Strangers may call the others. */
const titled = ROUTES.filter(({ audience }) => audience !== 'anyone').map((route) => [`${route.method} ${route.path}`, route] as const);
const forTenants = titled.filter(([, { audience }]) => audience === 'tenant');
const forOperators = titled.filter(([, { audience }]) => audience === 'operator');
const forPersons = titled.filter(([, { audience }]) => audience === 'person');

test('there are routes of every audience', () =>
  expect(new Set(ROUTES.map(({ audience }) => audience))).toEqual(new Set(['tenant', 'operator', 'any', 'person', 'anyone'])));

test.each(titled)('%s: without an admin key, 401', async (_, route) => {
  const { path, body } = requestOf(route);
  const mistyped = `${alice.adminKey.slice(0, -1)}${alice.adminKey.endsWith('0') ? '1' : '0'}`;
  for (const key of [null, alice.apiKey, 'sk-something', mistyped]) {
    const reply = await clientOf(weir, key)(route.method, path, body);
    expect([reply.status, reply.body.error.code]).toEqual([401, 'invalid_admin_key']);
  }
});

test.each(titled)('%s: a key in another place than Authorization is not looked at', async (_, route) => {
  const { path, body } = requestOf(route);
  const reply = await clientOf(weir, null)(route.method, path, body, {
    'x-api-key': weir.operatorKey,
    'api-key': weir.operatorKey,
    cookie: `key=${weir.operatorKey}`,
  });
  expect(reply.status).toBe(401);
});

test.each(forOperators)('%s: 403 for a tenant admin, done for an operator', async (_, route) => {
  const { path, body } = requestOf(route, { ...standing, ...(await newForOperators(route)) });
  const refused = await clientOf(weir, alice.adminKey)(route.method, path, body, { 'x-weir-tenant': alice.id });
  expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden']);
  await expectDone(route, await operator(route.method, path, body));
});

test.each(forPersons)('%s: 403 for a key, as it is about the person who is signed in', async (_, route) => {
  const { path, body } = requestOf(route);
  for (const key of [alice.adminKey, weir.operatorKey]) {
    const reply = await clientOf(weir, key)(route.method, path, body);
    expect([reply.status, reply.body.error.code]).toEqual([403, 'forbidden']);
  }
});

test.each(forTenants)("%s: nothing of another tenant's is found, seen or changed", async (_, route) => {
  const { path, body } = requestOf(route);
  const reply = await clientOf(weir, bob.adminKey)(route.method, path, body);
  if (route.path.includes('{')) expect([reply.status, reply.body.error?.code]).toEqual([404, 'not_found']);
  else expect(reply.status).toBe(doneBy(route));
  const seen = JSON.stringify(reply.body);
  // Of operators a tenant is told by their key, in what they did to it.
  const { operator_key_id: _told, ...others } = standing;
  for (const id of Object.values(others)) expect(seen).not.toContain(id);
});

test.each(forTenants)('%s: a tenant admin cannot name another tenant to act in', async (_, route) => {
  const { path, body } = requestOf(route);
  const reply = await clientOf(weir, bob.adminKey)(route.method, path, body, { 'x-weir-tenant': alice.id });
  expect([reply.status, reply.body.error.code]).toEqual([404, 'not_found']);
});

test.each(forTenants)('%s: done for the tenant admin, and for an operator who names the tenant', async (_, route) => {
  const own = requestOf(route, { ...standing, ...(await newResources(route.path)) });
  await expectDone(route, await clientOf(weir, alice.adminKey)(route.method, own.path, own.body));

  const { path, body } = requestOf(route, { ...standing, ...(await newResources(route.path)) });
  const unnamed = await operator(route.method, path, body);
  expect([unnamed.status, unnamed.body.error.param]).toEqual([400, 'x-weir-tenant']);
  for (const stranger of [`ten_${'0'.repeat(32)}`, 'alice', bob.projectId]) {
    expect(await operator(route.method, path, body, { 'x-weir-tenant': stranger })).toMatchObject({ status: 404 });
  }
  await expectDone(route, await operator(route.method, path, body, { 'x-weir-tenant': alice.id }));
});

test.each(forTenants.filter(([, { path }]) => path.includes('{')))('%s: 404 for an id that cannot be', async (_, route) => {
  const { body } = requestOf(route);
  const reply = await clientOf(weir, alice.adminKey)(route.method, route.path.replace(/\{\w+\}/g, 'nonsense'), body);
  expect([reply.status, reply.body.error.code]).toEqual([404, 'not_found']);
});

/** Runs work on each item, some at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const lane = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, lane));
}

describe.each(ROLES)('a key with the role %s', (role) => {
  /** In Alice's tenant, and in Bob's. A developer has a project. */
  let [own, foreign]: [Send, Send] = [async () => Promise.reject(), async () => Promise.reject()];

  beforeAll(async () => {
    const keyOf = async (tenant: TestTenant, project: string | undefined) => {
      const key = { name: unique(), role, project_id: role === 'developer' ? project : null };
      return clientOf(weir, ((await tenant.admin('POST', '/v1/organization/admin_api_keys', key)) as { value: string }).value);
    };
    [own, foreign] = [await keyOf(alice, standing['project_id']), await keyOf(bob, bob.projectId)];
  });

  const mayNot = ROUTES.filter(({ roles }) => roles && !roles.includes(role));
  const may = ROUTES.filter(({ roles }) => roles?.includes(role));
  const nonsense = (route: Route) => route.path.replace(/\{\w+\}/g, 'nonsense') + (QUERIES[route.path] ?? '');
  const isOutside = ({ keepsToProject, path }: Route) => role === 'developer' && !keepsToProject && !path.includes('{project_id}');
  const outcome = ({ status, body }: AdminReply) => [status, body.error?.code];

  test('may not call the other routes, whatever they name', () =>
    each(mayNot, async (route) => {
      const { path, body } = requestOf(route);
      for (const [send, at] of [
        [own, path],
        [foreign, path],
        [own, nonsense(route)],
      ] as const)
        expect([route.method, at, ...outcome(await send(route.method, at, body))]).toEqual([route.method, at, 403, 'insufficient_role']);
    }));

  test('finds nothing that is foreign or cannot be', () =>
    each(
      may.filter(({ path }) => path.includes('{')),
      async (route) => {
        const { path, body } = requestOf(route);
        for (const [send, at] of [
          [foreign, path],
          [own, nonsense(route)],
        ] as const)
          expect([route.method, at, ...outcome(await send(route.method, at, body))]).toEqual([
            route.method,
            at,
            ...(isOutside(route) ? [403, 'forbidden'] : [404, 'not_found']),
          ]);
      },
    ));

  test('reads what is its own', () =>
    each(
      may.filter(({ method }) => method === 'GET'),
      async (route) => {
        const { path } = requestOf(route);
        const { status, body } = await own('GET', path);
        // Calls and admin keys of other projects are not its own.
        const expected = isOutside(route) ? [403] : role === 'developer' && /\{(call|admin_key)_id\}/.test(route.path) ? [404] : [200];
        expect([path, status, body.error?.code]).toEqual([
          path,
          ...expected,
          expected[0] === 403 ? 'forbidden' : expected[0] === 404 ? 'not_found' : undefined,
        ]);
      },
    ));
});

test('a budget cannot be set on what is not the tenant’s', async () => {
  const { project_id, key_id } = standing;
  for (const scope of [
    { kind: 'project', value: project_id },
    { kind: 'api_key', value: key_id },
    { kind: 'tenant', value: alice.id },
  ]) {
    const reply = await clientOf(weir, bob.adminKey)('POST', '/v1/organization/budgets', { scope, limit: '1.00', period: 'month' });
    expect([reply.status, reply.body.error.param]).toEqual([404, 'scope.value']);
  }
});

test('a granted platform credential can be used until the grant is taken back', async () => {
  const carol = await createTenant(weir);
  const grants = `/v1/platform/credentials/${standing['credential_id']}/grants`;
  const models = async () => (await carol.openai.models.list()).data.length;
  expect(await models()).toBe(0);
  await operator('POST', grants, { tenant: carol.id });
  await eventually(async () => (await models()) > 0);
  await operator('DELETE', `${grants}/${carol.id}`);
  await eventually(async () => (await models()) === 0);
});

test('a route that does not say who may call it is found at start', () => {
  @Controller('a')
  class Undeclared {
    @Get() read() {}
    @Get('b') @Access('any') declared() {}
    helper() {}
  }
  expect(undeclaredRoutes(Undeclared)).toEqual(['Undeclared.read']);
});
