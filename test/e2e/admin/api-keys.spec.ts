import { PUBLIC_ROUTES } from '../../../src/gateway/routes.js';
import { ENDPOINTS } from '../../../src/kernel/endpoints.js';
import { createTenant, eventually, startSecondGateway, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { addMock, type Body, clientOf, type Send } from './client.js';

let weir: TestWeir;
let tenant: TestTenant;
let owner: Send;
let keys: string;

beforeAll(async () => {
  weir = await startTestWeir({ WEIR_TRUSTED_PROXIES: '127.0.0.1' });
  tenant = await createTenant(weir);
  owner = clientOf(weir, tenant.adminKey);
  keys = `/v1/organization/projects/${tenant.projectId}/api_keys`;
  await addMock(tenant);
});

afterAll(() => weir.stop());

const make = async (fields: object = {}, by = owner) => (await by('POST', keys, { name: 'made', ...fields })).body;

/** What the very next call with a key gets. */
async function call({ value }: Pick<Body, 'value'>, path = '/v1/chat/completions', headers: Record<string, string> = {}) {
  const body = path.endsWith('embeddings') ? { input: 'Hello' } : { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 10 };
  const response = await fetch(weir.publicUrl + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${value}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'mock/echo', ...body }),
  });
  const { error } = (await response.json()) as Partial<Body>;
  return [response.status, error?.code];
}

test('the endpoints that keys can be allowed are those that models are called at', () => {
  const called = PUBLIC_ROUTES.filter(({ kind }) => kind === 'call' || kind === 'count').map(({ path }) =>
    path.slice('/v1/'.length).replace('/', '.'),
  );
  expect([...ENDPOINTS].sort()).toEqual([...called, 'passthrough'].sort());
});

test.each(['POST', 'PATCH'])('what GET answers, %s and a new key take back, null included', async (method) => {
  const settings = {
    models: ['mock/echo'],
    endpoints: ['chat.completions', 'embeddings'],
    cidrs: ['10.1.0.0/16'],
    max_output_tokens: 100,
    max_cost_per_call: '0.50',
    fit: 'shrink',
    thinking_level: 'low',
    unsupported: 'drop',
    default_model: 'mock/echo',
    metadata: { team: 'search' },
    disabled: true,
    expires_at: 4_000_000_000,
  };
  const none = {
    models: ['*'],
    endpoints: ['*'],
    cidrs: ['*'],
    max_output_tokens: null,
    max_cost_per_call: null,
    fit: null,
    thinking_level: null,
    unsupported: null,
    default_model: null,
    metadata: {},
    disabled: false,
    expires_at: null,
  };
  const key = await make();
  expect(key).toMatchObject(none);
  const path = `${keys}/${key.id}`;
  for (const wanted of [settings, none]) {
    expect((await owner(method, path, { name: 'other', ...wanted })).body).toMatchObject({ name: 'other', ...wanted });
    const read = (await owner('GET', path)).body as unknown as Record<string, unknown>;
    expect(read).toMatchObject(wanted);
    const given = Object.fromEntries(['name', ...Object.keys(wanted)].map((field) => [field, read[field]]));
    expect((await owner(method, path, given)).body).toEqual(read);
    expect(await make(given)).toMatchObject(wanted);
  }
});

test('an update is checked as a new key is', async () => {
  const key = await make({ models: ['mock/echo'] });
  for (const [body, param] of [
    [{}, null],
    [{ models: ['nowhere/m'] }, 'models.0'],
    [{ default_model: 'mock/slow' }, 'default_model'],
    [{ endpoints: ['chat'] }, 'endpoints.0'],
    [{ project_id: tenant.projectId }, 'project_id'],
    [{ value: 'weir_sk_mine' }, 'value'],
  ] as const) {
    const reply = await owner('POST', `${keys}/${key.id}`, body);
    expect([body, reply.status, reply.body.error?.param]).toEqual([body, 400, param]);
  }
  await owner('POST', `${keys}/${key.id}/revoke`);
  expect((await owner('POST', `${keys}/${key.id}`, { name: 'late' })).status).toBe(409);
});

test('a disabled key calls nothing until it is enabled', async () => {
  const key = await make();
  const set = (disabled: boolean) => owner('PATCH', `${keys}/${key.id}`, { disabled });
  expect(await call(key)).toEqual([200, undefined]);
  await set(true);
  expect(await call(key)).toEqual([401, 'invalid_api_key']);
  await set(false);
  expect(await call(key)).toEqual([200, undefined]);
});

test('a key calls its endpoints only', async () => {
  const key = await make({ endpoints: ['messages'] });
  expect(await call(key, '/v1/messages')).toEqual([200, undefined]);
  for (const path of ['/v1/chat/completions', '/v1/messages/count_tokens', '/v1/embeddings'])
    expect(await call(key, path)).toEqual([403, 'endpoint_not_allowed']);
  const own = await fetch(`${weir.publicUrl}/v1/key`, { headers: { authorization: `Bearer ${key.value}` } });
  expect(own.status).toBe(200);
});

test('a key is used from its networks only', async () => {
  const key = await make({ cidrs: ['10.1.0.0/16'] });
  const from = (address: string) => call(key, undefined, { 'x-forwarded-for': address });
  expect(await from('10.1.2.3')).toEqual([200, undefined]);
  expect(await from('10.2.0.1')).toEqual([403, 'address_not_allowed']);
  expect(await call(key)).toEqual([403, 'address_not_allowed']);
  const none = await make({ cidrs: [] });
  expect(await call(none)).toEqual([403, 'address_not_allowed']);
});

test('a developer changes the keys that it has made, in its project', async () => {
  const { body } = await owner('POST', '/v1/organization/admin_api_keys', { name: 'dev', role: 'developer', project_id: tenant.projectId });
  const developer = clientOf(weir, body.value);
  const [own, other] = [await make({}, developer), await make()];
  expect((await developer('POST', `${keys}/${own.id}`, { name: 'mine' })).status).toBe(200);
  expect((await developer('GET', `${keys}/${other.id}`)).status).toBe(200);
  for (const [method, path, body] of [
    ['PATCH', '', { name: 'mine' }],
    ['POST', '/rotate', undefined],
    ['POST', '/revoke', undefined],
    ['DELETE', '', undefined],
  ] as const) {
    const reply = await developer(method, `${keys}/${other.id}${path}`, body);
    expect([reply.status, reply.body.error.code]).toEqual([403, 'insufficient_role']);
  }
});

test('an API key that is made, changed or rotated works from no other networks than the admin key, and no longer', async () => {
  const expires_at = Math.floor(Date.now() / 1000) + 86_400;
  const bounds = { cidrs: ['10.1.0.0/16'], expires_at };
  const { body } = await owner('POST', '/v1/organization/admin_api_keys', { name: 'office', ...bounds });
  const send = clientOf(weir, body.value);
  const office = (method: string, path: string, sent?: object) => send(method, path, sent, { 'x-forwarded-for': '10.1.0.1' });
  const refused = async (reply: ReturnType<Send>) => [(await reply).status, (await reply).body.error?.param];
  const { body: own } = await office('POST', keys, { name: 'own' });
  expect(own).toMatchObject(bounds);
  for (const [param, wider] of [
    ['cidrs', { cidrs: ['*'] }],
    ['cidrs', { cidrs: ['10.0.0.0/8'] }],
    ['expires_at', { expires_at: null }],
    ['expires_at', { expires_at: expires_at + 1 }],
  ] as const) {
    expect(await refused(office('POST', keys, { name: 'wider', ...wider }))).toEqual([403, param]);
    expect(await refused(office('PATCH', `${keys}/${own.id}`, wider))).toEqual([403, param]);
  }
  expect((await office('POST', `${keys}/${own.id}/rotate`)).status).toBe(200);
  const { id } = await make();
  expect(await refused(office('POST', `${keys}/${id}/rotate`))).toEqual([403, 'cidrs']);
  expect(await refused(office('PATCH', `${keys}/${id}`, { name: 'mine' }))).toEqual([403, 'cidrs']);
  expect((await office('PATCH', `${keys}/${id}`, bounds)).status).toBe(200);
});

test('a tenant’s admin does not change a key that an operator made', async () => {
  const inTenant = { 'x-weir-tenant': tenant.id };
  const operator = clientOf(weir, weir.operatorKey);
  const { body } = await operator('POST', keys, { name: 'house', max_output_tokens: 10 }, inTenant);
  const reply = await owner('POST', `${keys}/${body.id}`, { max_output_tokens: null });
  expect([reply.status, reply.body.error.code]).toEqual([403, 'platform_rule']);
  expect((await operator('POST', `${keys}/${body.id}`, { max_output_tokens: 20 }, inTenant)).status).toBe(200);
});

test('when a key was last used is written for all keys together, and no process reads the configuration for it', async () => {
  const key = await make();
  const second = await startSecondGateway(weir, {});
  await eventually(async () => {
    const response = await fetch(`${second.publicUrl}/v1/key`, { headers: { authorization: `Bearer ${key.value}` } });
    return response.ok;
  });
  const version = async () => (await weir.db.query<{ v: string }>('SELECT max(version) AS v FROM config_changes')).rows[0]!.v;
  const before = await version();
  await second.stop();
  const { last_used_at } = (await owner('GET', `${keys}/${key.id}`)).body as unknown as { last_used_at: number };
  expect(Math.abs(last_used_at - Date.now() / 1000)).toBeLessThan(60);
  expect(await version()).toBe(before);
});
