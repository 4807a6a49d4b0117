import { request } from 'node:http';
import { ROUTES } from '../e2e/admin/routes.js';
import { answer } from '../support/upstream.js';
import { withWeir } from '../support/with-weir.js';

jest.setTimeout(60_000);

const { weir, tenant, upstream } = withWeir();

beforeAll(async () => {
  upstream.script = answer();
  // Nobody is told of changes from here on: what the next request sees, it sees because the answer waited.
  await weir.db.query(`ALTER FUNCTION note_config_change() RENAME TO note_config_change_once`);
  const { rows } = await weir.db.query<{ body: string }>(`SELECT pg_get_functiondef('note_config_change_once()'::regprocedure) AS body`);
  const silent = rows[0]!.body.replace('note_config_change_once', 'note_config_change').replace(/PERFORM pg_notify\([^;]*;/, '');
  await weir.db.query(silent);
  const tables = await weir.db.query<{ name: string; on: string }>(
    `SELECT tgname AS name, tgrelid::regclass::text AS on FROM pg_trigger WHERE tgfoid = 'note_config_change_once()'::regprocedure`,
  );
  for (const { name, on } of tables.rows)
    await weir.db.query(
      `DROP TRIGGER ${name} ON ${on}; CREATE TRIGGER ${name} AFTER INSERT OR UPDATE OR DELETE ON ${on} FOR EACH ROW EXECUTE FUNCTION note_config_change()`,
    );
});

type Made = { id: string; value: string; keys: { id: string }[] };

let count = 0;
const unique = () => `name-${++count}`;
const write = <T = Made>(method: string, path: string, body?: unknown) => tenant.admin<T>(method, path, body);
const asOperator = async <T = Made>(method: string, path: string, body: object = {}, more: Record<string, string> = {}): Promise<T> => {
  const response = await fetch(weir.adminUrl + path, {
    method,
    headers: { authorization: `Bearer ${weir.operatorKey}`, ...(method !== 'DELETE' && { 'content-type': 'application/json' }), ...more },
    body: method === 'DELETE' ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
};

/** The status of the very next request with a key. */
const status = async (path = '/v1/key', key = tenant.apiKey, more: Record<string, string> = {}) =>
  (await fetch(weir.publicUrl + path, { headers: { authorization: `Bearer ${key}`, ...more } })).status;

/** What the very next request is told of a model. */
const model = async (reference: string) => {
  const response = await fetch(`${weir.publicUrl}/v1/models/${reference}`, { headers: { authorization: `Bearer ${tenant.apiKey}` } });
  return { status: response.status, ...((await response.json()) as { price?: { input: string } | null; context_window?: number | null }) };
};

/** The credentials that the next calls are made with. */
async function shownBy(provider: string, calls = 2): Promise<string[]> {
  const from = upstream.calls.length;
  for (let made = 0; made < calls; made++)
    await tenant.openai.chat.completions.create({ model: `${provider}/m`, messages: [{ role: 'user', content: 'Hello' }] });
  return [...new Set(upstream.calls.slice(from).map(({ headers }) => String(headers['authorization'])))].sort();
}

/** The model that answers the very next call; null: none does. */
async function answeredBy(body: { model?: string }): Promise<string | null> {
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, messages: [{ role: 'user', content: 'Hello' }] }),
  });
  await response.text();
  return response.ok ? response.headers.get('x-weir-model') : null;
}

/** The same on inference.local, by the key of the tenant. */
async function answeredLocally(): Promise<string | null> {
  const { port } = new URL(weir.publicUrl);
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] });
  const headers = { host: 'inference.local', authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/v1/chat/completions', method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? String(response.headers['x-weir-model']) : null);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const KEYS = () => `/v1/organization/projects/${tenant.projectId}/api_keys`;
const PROVIDERS = '/v1/organization/providers';
const PLATFORM = '/v1/platform/credentials';
const ofUpstream = (name: string, key: string) => ({
  name,
  type: 'openai',
  base_url: upstream.baseUrl,
  key,
  models: ['m'],
  no_verify: true,
});

/** Writes by each of these routes, and looks at the very next request. A route that changes what calls go by belongs here. */
const SEEN: Record<string, () => Promise<void>> = {
  async 'POST /v1/organization/projects/{project_id}/api_keys, its update, rotate, revoke and DELETE'() {
    const made = await write('POST', KEYS(), { name: unique() });
    expect(await status('/v1/key', made.value)).toBe(200);
    for (const disabled of [true, false]) {
      await write('POST', `${KEYS()}/${made.id}`, { disabled });
      expect(await status('/v1/key', made.value)).toBe(disabled ? 401 : 200);
    }
    const rotated = await write('POST', `${KEYS()}/${made.id}/rotate`);
    expect(await status('/v1/key', rotated.value)).toBe(200);
    await write('POST', `${KEYS()}/${rotated.id}/revoke`);
    expect(await status('/v1/key', rotated.value)).toBe(401);
    const other = await write('POST', KEYS(), { name: unique() });
    await write('DELETE', `${KEYS()}/${other.id}`);
    expect(await status('/v1/key', other.value)).toBe(401);
  },
  async 'POST /v1/organization/projects and its archive'() {
    const project = await write('POST', '/v1/organization/projects', { name: unique() });
    const key = await write('POST', `/v1/organization/projects/${project.id}/api_keys`, { name: unique() });
    expect(await status('/v1/key', key.value)).toBe(200);
    await write('POST', `/v1/organization/projects/${project.id}/archive`);
    expect(await status('/v1/key', key.value)).toBe(401);
  },
  async 'POST /v1/organization/providers, its POST, PATCH, keys and DELETE'() {
    const name = unique();
    const provider = await write('POST', PROVIDERS, ofUpstream(name, 'sk-first'));
    expect((await model(`${name}/m`)).status).toBe(200);
    expect(await shownBy(name)).toEqual(['Bearer sk-first']);
    const added = await write('POST', `${PROVIDERS}/${provider.id}/keys`, { key: 'sk-second' });
    expect(await shownBy(name)).toEqual(['Bearer sk-first', 'Bearer sk-second']);
    await write('DELETE', `${PROVIDERS}/${provider.id}/keys/${added.keys[0]!.id}`);
    expect(await shownBy(name)).toHaveLength(1);
    await write('PATCH', `${PROVIDERS}/${provider.id}`, { models: ['other'] });
    expect((await model(`${name}/m`)).status).toBe(404);
    await write('POST', `${PROVIDERS}/${provider.id}`, { models: ['m'] });
    expect((await model(`${name}/m`)).status).toBe(200);
    await write('DELETE', `${PROVIDERS}/${provider.id}`);
    expect((await model(`${name}/m`)).status).toBe(404);
  },
  async 'POST /v1/organization/prices'() {
    const name = unique();
    await write('POST', PROVIDERS, ofUpstream(name, 'sk-priced'));
    for (const input of ['1.25', '2.5']) {
      await write('POST', '/v1/organization/prices', { provider: name, model: '*', input, output: '1' });
      expect(Number((await model(`${name}/m`)).price!.input)).toBe(Number(input));
    }
  },
  async 'POST /v1/organization/models and DELETE'() {
    const name = unique();
    await write('POST', PROVIDERS, ofUpstream(name, 'sk-told'));
    const told = await write('POST', '/v1/organization/models', { provider: name, model: 'm', context_window: 1234 });
    expect((await model(`${name}/m`)).context_window).toBe(1234);
    await write('DELETE', `/v1/organization/models/${told.id}`);
    expect((await model(`${name}/m`)).context_window).toBeNull();
  },
  async 'POST /v1/platform/credentials, its POST, PATCH, keys, grants and DELETE'() {
    const name = unique();
    const credential = await asOperator('POST', PLATFORM, ofUpstream(name, 'sk-lent'));
    expect((await model(`${name}/m`)).status).toBe(404);
    await asOperator('POST', `${PLATFORM}/${credential.id}/grants`, { tenant: tenant.id });
    expect((await model(`${name}/m`)).status).toBe(200);
    await asOperator('POST', '/v1/platform/prices', { provider: 'openai', model: 'm', input: '3', output: '3' });
    expect(Number((await model(`${name}/m`)).price!.input)).toBe(3);
    expect(await shownBy(name)).toEqual(['Bearer sk-lent']);
    const added = await asOperator('POST', `${PLATFORM}/${credential.id}/keys`, { key: 'sk-lent-too' });
    expect(await shownBy(name)).toEqual(['Bearer sk-lent', 'Bearer sk-lent-too']);
    await asOperator('DELETE', `${PLATFORM}/${credential.id}/keys/${added.keys[0]!.id}`);
    expect(await shownBy(name)).toHaveLength(1);
    await asOperator('PATCH', `${PLATFORM}/${credential.id}`, { models: ['other'] });
    expect((await model(`${name}/m`)).status).toBe(404);
    await asOperator('POST', `${PLATFORM}/${credential.id}`, { models: ['m'] });
    expect((await model(`${name}/m`)).status).toBe(200);
    await asOperator('DELETE', `${PLATFORM}/${credential.id}/grants/${tenant.id}`);
    expect((await model(`${name}/m`)).status).toBe(404);
    await asOperator('POST', `${PLATFORM}/${credential.id}/grants`, { tenant: tenant.id });
    await asOperator('DELETE', `${PLATFORM}/${credential.id}`);
    expect((await model(`${name}/m`)).status).toBe(404);
  },
  async 'POST /v1/organization/routes and /v1/platform/routes, their POST, PATCH and DELETE'() {
    const [own, lent, alias] = [unique(), unique(), unique()];
    await write('POST', PROVIDERS, { ...ofUpstream(own, 'sk-routed'), models: ['m', 'other'] });
    const credential = await asOperator('POST', PLATFORM, { ...ofUpstream(lent, 'sk-lent-routed'), models: ['m', 'other'] });
    await asOperator('POST', `${PLATFORM}/${credential.id}/grants`, { tenant: tenant.id });
    for (const model of ['m', 'other'])
      await asOperator('POST', '/v1/platform/prices', { provider: 'openai', model, input: '3', output: '3' });
    for (const [path, by, name] of [
      ['/v1/organization/routes', write, own],
      ['/v1/platform/routes', asOperator, lent],
    ] as const) {
      const made = await by('POST', path, { name: alias, match: { kind: 'exact', value: alias }, targets: [{ model: `${name}/m` }] });
      expect(await answeredBy({ model: alias })).toBe(`${name}/m`);
      await by('PATCH', `${path}/${made.id}`, { targets: [{ model: `${name}/other` }] });
      expect(await answeredBy({ model: alias })).toBe(`${name}/other`);
      await by('POST', `${path}/${made.id}`, { targets: [{ model: `${name}/m` }] });
      expect(await answeredBy({ model: alias })).toBe(`${name}/m`);
      await by('DELETE', `${path}/${made.id}`);
      expect(await answeredBy({ model: alias })).toBeNull();
    }
  },
  async 'POST and PATCH /v1/organization/settings'() {
    const name = unique();
    await write('POST', PROVIDERS, { ...ofUpstream(name, 'sk-default'), models: ['m', 'other'] });
    for (const [method, model] of [
      ['POST', 'm'],
      ['PATCH', 'other'],
    ] as const) {
      await write(method, '/v1/organization/settings', { default_model: `${name}/${model}` });
      expect(await answeredBy({})).toBe(`${name}/${model}`);
    }
    await write('POST', '/v1/organization/settings', { default_model: null });
    expect(await answeredBy({})).toBeNull();
  },
  async 'PUT and DELETE /v1/organization/inference and /v1/platform/inference'() {
    const [own, lent] = [unique(), unique()];
    await write('POST', PROVIDERS, ofUpstream(own, 'sk-local'));
    const credential = await asOperator('POST', PLATFORM, ofUpstream(lent, 'sk-lent-local'));
    await asOperator('POST', `${PLATFORM}/${credential.id}/grants`, { tenant: tenant.id });
    await asOperator('POST', '/v1/platform/prices', { provider: 'openai', model: 'm', input: '3', output: '3' });
    for (const [path, by, name] of [
      ['/v1/platform/inference', asOperator, lent],
      ['/v1/organization/inference', write, own],
    ] as const) {
      await by('PUT', path, { provider: name, model: 'm', verify: false });
      expect(await answeredLocally()).toBe(`${name}/m`);
    }
    await write('DELETE', '/v1/organization/inference');
    expect(await answeredLocally()).toBe(`${lent}/m`);
    await asOperator('DELETE', '/v1/platform/inference');
    expect(await answeredLocally()).toBeNull();
  },
  async 'POST /v1/organization/egress_rules, its POST, PATCH and DELETE'() {
    const name = unique();
    await write('POST', PROVIDERS, ofUpstream(name, 'sk-passed'));
    const inside = (method: string, path: string, body?: object) => asOperator(method, path, body, { 'x-weir-tenant': tenant.id });
    // Nothing is sent: a cost limit refuses what has a price.
    const passed = () => status(`/v1/passthrough/${name}/v1/files`, tenant.apiKey, { 'x-weir-max-cost': '0.01' });
    const rule = await inside('POST', '/v1/organization/egress_rules', { provider: name, method: 'GET', path: '/v1/files', price: '1' });
    const path = `/v1/organization/egress_rules/${rule.id}`;
    expect(await passed()).toBe(402);
    await inside('PATCH', path, { price: null });
    expect(await passed()).toBe(422);
    await inside('POST', path, { path: '/v1/batches' });
    expect(await passed()).toBe(403);
    await inside('POST', path, { path: '/v1/files' });
    expect(await passed()).toBe(422);
    await inside('DELETE', path);
    expect(await passed()).toBe(403);
  },
  async 'POST /v1/platform/prices/catalogue'() {
    const name = unique();
    const credential = await asOperator('POST', PLATFORM, ofUpstream(name, 'sk-catalog'));
    await asOperator('POST', `${PLATFORM}/${credential.id}/grants`, { tenant: tenant.id });
    const file = { source: 'test', prices: [{ provider: 'openai', model: 'm', input: '7', output: '7' }] };
    const plan = (await asOperator('POST', '/v1/platform/prices/catalogue', file)) as unknown as { digest: string };
    await asOperator('POST', '/v1/platform/prices/catalogue', { ...file, dry_run: false, confirm: plan.digest });
    expect(Number((await model(`${name}/m`)).price!.input)).toBe(7);
  },
  async 'POST /v1/platform/tenants/{tenant_id}/suspend, resume'() {
    await asOperator('POST', `/v1/platform/tenants/${tenant.id}/suspend`);
    expect(await status()).toBe(403);
    await asOperator('POST', `/v1/platform/tenants/${tenant.id}/resume`);
    expect(await status()).toBe(200);
  },
};

/** Writes that the rows above make. */
const TESTED =
  /^(\/v1\/organization\/(settings|routes(\/.*)?|egress_rules(\/.*)?|inference|projects|projects\/{project_id}\/(api_keys(\/.*)?|archive)|prices|models(\/.*)?|providers|providers\/{provider_id}(\/keys(\/.*)?)?)|\/v1\/platform\/(routes(\/.*)?|inference|prices(\/catalog\w+)?|credentials|credentials\/{credential_id}(\/(keys|grants)(\/.*)?)?|tenants\/{tenant_id}\/(suspend|resume)))$/;
/** Writes of what each call reads from Postgres itself, what no call goes by, and of labels. */
const READ_EACH_TIME =
  /\/(budgets|rate_limits|approvals|webhooks)(\/|$)|\/inference\/bindings(\/|$)|\/models\/resolve$|\/prices\/rerate$|\/probe$|(admin_api_keys|operator_keys)(\/|$)|^\/v1\/platform\/tenants$|^\/v1\/platform\/tenants\/{tenant_id}$|^\/v1\/organization\/projects\/{project_id}$|\/connection(\/|$)|^\/v1\/platform\/gateways\/|^\/v1\/(auth|invites)\/|\/(users|invites)(\/|$)|\/sso$|\/sign_in_links$|^\/scim\//;

test('every route that writes is tested here, or writes nothing that calls go by from memory', () => {
  const writes = ROUTES.filter(({ method }) => method !== 'GET').map(({ path }) => path);
  expect(writes.filter((path) => !TESTED.test(path) && !READ_EACH_TIME.test(path))).toEqual([]);
});

test.each(Object.entries(SEEN))('the very next request sees what was written by %s', (_, seen) => seen());
