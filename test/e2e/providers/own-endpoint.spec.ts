import { json, ScriptedUpstream } from '../../support/upstream.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { clientOf, type Send } from '../admin/client.js';

let upstream: ScriptedUpstream;
let other: ScriptedUpstream;
let weir: TestWeir;
let tenant: TestTenant;
let send: Send;

const PROVIDERS = '/v1/organization/providers';
const VALUE = 'the value of a header that nobody reads back';

beforeAll(async () => {
  [upstream, other] = [await ScriptedUpstream.start(), await ScriptedUpstream.start()];
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: `${upstream.hostPort},${other.hostPort}` });
  tenant = await createTenant(weir);
  send = clientOf(weir, tenant.adminKey);
});

afterAll(async () => {
  await weir.stop();
  await Promise.all([upstream.stop(), other.stop()]);
});

interface Provider {
  id: string;
  name: string;
  type: string;
  base_url: string;
  headers: string[];
  auth: string | null;
  has_key: boolean;
  default_model: string | null;
}

const make = (fields: object) => tenant.admin<Provider>('POST', PROVIDERS, { type: 'custom', base_url: upstream.baseUrl, ...fields });
const change = (id: string, fields: object) => tenant.admin<Provider>('PATCH', `${PROVIDERS}/${id}`, fields);

const call = (model: string) =>
  fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] }),
  });

/** What the provider saw of a call, once the gateway knows of the change. */
async function seen(model: string, at = upstream): Promise<Record<string, unknown>> {
  await eventually(async () => {
    const before = at.calls.length;
    return (await call(model)).status === 200 && at.calls.length > before;
  });
  return at.calls.at(-1)!.headers;
}

test('each way of showing a key is the one that is used', async () => {
  await make({ name: 'bearer', key: 'k-1', auth: 'bearer' });
  await make({ name: 'named', key: 'k-2', auth: 'header:x-my-key' });
  await make({ name: 'open', auth: 'none' });
  await make({ name: 'by-type', key: 'k-3', type: 'azure-openai' });
  expect(await seen('bearer/m')).toMatchObject({ authorization: 'Bearer k-1' });
  const named = await seen('named/m');
  expect(named).toMatchObject({ 'x-my-key': 'k-2' });
  expect(named).not.toHaveProperty('authorization');
  const open = await seen('open/m');
  expect(open).not.toHaveProperty('authorization');
  expect(open).not.toHaveProperty('x-my-key');
  expect(await seen('by-type/m')).toMatchObject({ 'api-key': 'k-3' });
});

test('headers of its own go with each call, are stored sealed and never returned', async () => {
  const made = await make({ name: 'tagged', key: 'k', headers: { 'x-team': VALUE, 'x-region': 'eu' } });
  expect(made.headers).toEqual(['x-team', 'x-region']);
  expect(await seen('tagged/m')).toMatchObject({ 'x-team': VALUE, 'x-region': 'eu', authorization: 'Bearer k' });

  const read = [await tenant.admin('GET', PROVIDERS), await tenant.admin('GET', `${PROVIDERS}/${made.id}`), made];
  expect(JSON.stringify(read)).not.toContain(VALUE);
  const { rows } = await weir.db.query<{ sealed: Buffer }>('SELECT sealed FROM provider_headers');
  expect(rows).toHaveLength(1);
  expect(rows[0]!.sealed.includes(VALUE)).toBe(false);

  expect((await change(made.id, { headers: { 'x-team': 'b' } })).headers).toEqual(['x-team']);
  await eventually(async () => (await seen('tagged/m'))['x-team'] === 'b');
  expect((await change(made.id, { models: ['m'] })).headers).toEqual(['x-team']);
  expect((await change(made.id, { headers: null })).headers).toEqual([]);
  await eventually(async () => !('x-team' in (await seen('tagged/m'))));
});

test('another origin drops the headers as it drops the key, unless new ones come along', async () => {
  const made = await make({ name: 'moving', key: 'k', headers: { 'x-team': VALUE } });
  expect(await change(made.id, { base_url: other.baseUrl })).toMatchObject({ headers: [], has_key: false, awaits_key: true });
  await change(made.id, { key: null });
  expect(await seen('moving/m', other)).not.toHaveProperty('x-team');
  expect(await change(made.id, { base_url: upstream.baseUrl, headers: { 'x-team': 'new' } })).toMatchObject({ headers: ['x-team'] });
  expect(await change(made.id, { base_url: `${upstream.baseUrl}/deeper` })).toMatchObject({ headers: ['x-team'] });
});

test('headers that cannot be opened: nothing is sent', async () => {
  await make({ name: 'swapped', headers: { 'x-team': VALUE } });
  await seen('swapped/m');
  await weir.db.query('UPDATE provider_headers SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE names = $1', [['x-team']]);
  await eventually(async () => (await call('swapped/m')).status === 503);
  const sent = upstream.calls.length;
  expect(await (await call('swapped/m')).json()).toMatchObject({ error: { code: 'credential_unavailable' } });
  expect(upstream.calls).toHaveLength(sent);
});

test('`custom:` and `anthropic-custom:` carry the address in the type, under the same egress policy', async () => {
  const made = await tenant.admin<Provider>('POST', PROVIDERS, { type: `custom:${upstream.baseUrl}`, key: 'k' });
  expect(made).toMatchObject({ name: 'custom', type: 'custom', base_url: upstream.baseUrl });
  expect(await seen('custom/m')).toMatchObject({ authorization: 'Bearer k' });
  expect(upstream.calls.at(-1)!.path).toBe('/v1/chat/completions');

  const type = `anthropic-custom:http://${upstream.hostPort}`;
  expect(await tenant.admin<Provider>('POST', PROVIDERS, { name: 'claude-like', type, key: 'k' })).toMatchObject({
    type: 'anthropic-custom',
  });
  await eventually(async () => (await call('claude-like/m')).status !== 404);
  await call('claude-like/m');
  expect(upstream.calls.at(-1)).toMatchObject({ path: '/v1/messages', headers: { 'x-api-key': 'k' } });
});

test('the bare name of a provider stands for its default model, which a key must be allowed to use', async () => {
  const made = await make({ name: 'house', auth: 'none', models: ['big', 'small'], default_model: 'small' });
  expect(made.default_model).toBe('small');
  await seen('house');
  expect(upstream.calls.at(-1)!.body.model).toBe('small');
  const key = async (models: string[]) =>
    (await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, { name: 'k', models })).value;
  const statusWith = async (value: string) =>
    (
      await fetch(`${weir.publicUrl}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${value}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'house', messages: [{ role: 'user', content: 'Hello' }] }),
      })
    ).status;
  const [big, small] = [await key(['house/big']), await key(['house/small'])];
  await eventually(async () => (await statusWith(small)) === 200);
  await eventually(async () => (await statusWith(big)) === 403);
  await change(made.id, { default_model: null });
  await eventually(async () => (await call('house')).status === 404);
});

test.each<[string, object, string, RegExp]>([
  ['a header that says where the request goes', { headers: { host: 'x' } }, 'headers.host', /that Weir does not set itself/],
  ['a header that carries another key', { headers: { authorization: 'x' } }, 'headers.authorization', /that Weir does not set itself/],
  ['a header between two hops', { headers: { 'transfer-encoding': 'x' } }, 'headers.transfer-encoding', /that Weir does not set itself/],
  ['a length of its own', { headers: { 'content-length': '1' } }, 'headers.content-length', /that Weir does not set itself/],
  ['a header of Cloudflare’s', { headers: { 'cf-aig-metadata': 'x' } }, 'headers.cf-aig-metadata', /that Weir does not set itself/],
  ['a header in capitals', { headers: { 'X-Team': 'x' } }, 'headers.X-Team', /lower-case/],
  ['two lines in one header', { headers: { 'x-team': 'a\r\nb: c' } }, 'headers.x-team', /must be visible ASCII characters/],
  ['too many headers', { headers: Object.fromEntries([...Array(17).keys()].map((i) => [`x-${i}`, 'v'])) }, 'headers', /at most 16 names/],
  ['too long a header', { headers: { 'x-team': 'a'.repeat(4_097) } }, 'headers.x-team', /at most 4096 characters/],
  ['too much in all', { headers: Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`x-${i}`, 'v'.repeat(4_000)])) }, 'headers', /in all/],
  ['the header of the key beside the key', { auth: 'header:x-key', headers: { 'x-key': 'v' } }, 'headers', /which carries the key/],
  ['a way to show a key that is none', { auth: 'basic' }, 'auth', /must be "bearer", "none" or "header:"/],
  ['a key in the host', { auth: 'header:host' }, 'auth', /must be "bearer", "none" or "header:"/],
  ['a key that is never shown', { auth: 'none', key: 'k' }, 'key', /Leave one of them out/],
  ['a default that is not exposed', { models: ['a'], default_model: 'b' }, 'default_model', /must be one of "models"/],
  ['an address in the type that is inside', { type: 'custom:https://10.0.0.1/v1', base_url: undefined }, 'type', /"type" is refused/],
  ['an address in the type that is none', { type: 'custom:localhost', base_url: undefined }, 'type', /Use an address such as/],
  ['two addresses', { type: 'custom:https://a.example.com/v1' }, 'base_url', /conflicts with the URL/],
])('%s is refused', async (_what, fields, param, message) => {
  const { status, body } = await send('POST', PROVIDERS, { name: 'bad', type: 'custom', base_url: upstream.baseUrl, ...fields });
  expect([status, body.error.param]).toEqual([400, param]);
  expect(body.error.message).toMatch(message);
});

test('a call that comes back to where it started is stopped there', async () => {
  upstream.script = json(500, {});
  await make({ name: 'looped', auth: 'none' });
  await eventually(async () => (await call('looped/m')).status === 502);
  const { via } = upstream.calls.at(-1)!.headers;
  expect(via).toMatch(/^1\.1 weir-[0-9a-f]{16}$/);
  const back = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', via: `1.1 proxy, ${String(via)}` },
    body: JSON.stringify({ model: 'looped/m', messages: [{ role: 'user', content: 'Hello' }] }),
  });
  expect(back.status).toBe(508);
  expect(await back.json()).toMatchObject({ error: { code: 'loop_detected' } });
});
