import { createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { type AdminReply, clientOf, type Send } from '../admin/client.js';

const RULES = '/v1/organization/egress_rules';
const FILES = { provider: 'vendor', method: 'GET', path: '/v1/files/{id}' };

let weir: TestWeir;
let tenant: TestTenant;
let admin: Send;
let inside: Send;

beforeAll(async () => {
  weir = await startTestWeir({ OPENAI_API_KEY: 'sk-of-the-platform', WEIR_MAX_BUDGETS: '3' });
  const operator = clientOf(weir, weir.operatorKey);
  tenant = await createTenant(weir);
  admin = clientOf(weir, tenant.adminKey);
  inside = (method, path, body) => operator(method, path, body, { 'x-weir-tenant': tenant.id });
  for (const provider of [
    { name: 'vendor', type: 'openai', key: 'sk-of-the-tenant' },
    { name: 'other', type: 'groq', key: 'gsk_of_the_tenant' },
    { name: 'own', type: 'openai', base_url: 'https://models.example.com/v1', key: 'sk-of-the-tenant' },
    { type: 'mock' },
    { name: 'login', type: 'copilot' },
    { name: 'signed', type: 'bedrock' },
  ])
    expect([provider, (await admin('POST', '/v1/organization/providers', provider)).status]).toEqual([provider, 200]);
  const { body: platform } = await operator('GET', '/v1/platform/credentials');
  await operator('POST', `/v1/platform/credentials/${platform.data[0]!.id}/grants`, { tenant: tenant.id });
});

afterAll(() => weir.stop());

afterEach(async () => {
  const { body } = await inside('GET', RULES);
  for (const { id } of body.data) await inside('DELETE', `${RULES}/${id}`);
});

const refusal = ({ status, body }: AdminReply) => [status, body.error?.code, body.error?.param];

test('a rule is created, read, listed, changed and deleted', async () => {
  const made = await admin('POST', RULES, { ...FILES, query: ['limit'], price: '0.25', metadata: { a: 'b' }, external_id: 'e' });
  expect(made.body).toEqual({
    id: expect.stringMatching(/^egr_[0-9a-f]{32}$/),
    object: 'egress_rule',
    ...FILES,
    origin: 'https://api.openai.com',
    query: ['limit'],
    price: '0.25',
    set_by: 'tenant',
    version: 1,
    external_id: 'e',
    metadata: { a: 'b' },
    created_at: expect.any(Number),
  });
  const path = `${RULES}/${made.body.id}`;
  const read = await admin('GET', path);
  expect([read.body, read.headers.get('etag')]).toEqual([made.body, '"1"']);
  expect((await admin('GET', RULES)).body).toMatchObject({ data: [made.body], has_more: false });
  const changed = await admin('PATCH', path, { provider: 'other', price: null, query: [] }, { 'if-match': '"1"' });
  expect(changed.body).toEqual({ ...made.body, provider: 'other', origin: 'https://api.groq.com', price: null, query: [], version: 2 });
  expect(refusal(await admin('POST', path, { price: '1' }, { 'if-match': '"1"' }))).toEqual([412, 'precondition_failed', null]);
  expect(refusal(await admin('DELETE', path, undefined, { 'if-match': '"1"' }))).toEqual([412, 'precondition_failed', null]);
  expect((await admin('DELETE', path, undefined, { 'if-match': '"2"' })).body).toEqual({
    id: made.body.id,
    object: 'egress_rule',
    deleted: true,
  });
  expect(refusal(await admin('GET', path))).toEqual([404, 'not_found', null]);
});

test('a path that cannot be, or is never passed through, is refused when it is saved and when it is changed', async () => {
  const { body: rule } = await admin('POST', RULES, FILES);
  for (const [changes, param, message] of [
    [{ path: '/v1/files/*' }, 'path', 'is no path template'],
    [{ path: '/v1/../keys' }, 'path', 'is no path template'],
    [{ path: '/v1/organization/admin_api_keys' }, 'path', 'is never passed through'],
    [{ path: '/v1/credits' }, 'path', 'is never passed through'],
    [{ method: 'POST', path: '/v1/chat/completions' }, 'path', "Send them to Weir's own endpoints"],
    [{ query: ['limit', 'api_key'] }, 'query.1', "that is Weir's to do"],
    [{ provider: 'vendr' }, 'provider', 'vendor'],
    [{ provider: 'mock' }, 'provider', 'it is the mock provider'],
    [{ provider: 'login' }, 'provider', 'by the login of a person'],
    [{ provider: 'signed' }, 'provider', 'its requests are signed'],
    [{ provider: 'openai' }, 'provider', "it is the platform's"],
    [{ provider: 'own' }, 'provider', 'Ask the operator'],
  ] as const) {
    for (const refused of [await admin('POST', RULES, { ...FILES, ...changes }), await admin('PATCH', `${RULES}/${rule.id}`, changes)]) {
      expect([changes, ...refusal(refused)]).toEqual([changes, 400, 'invalid_request', param]);
      expect(refused.body.error.message).toContain(message);
    }
  }
});

test("an operator sets rules for servers at addresses of the tenant's own, which the tenant cannot change", async () => {
  const { status, body } = await inside('POST', RULES, { ...FILES, provider: 'own' });
  expect([status, body]).toMatchObject([200, { set_by: 'operator', origin: 'https://models.example.com' }]);
  expect(refusal(await admin('PATCH', `${RULES}/${body.id}`, { price: '0' }))[1]).toBe('platform_rule');
  expect(refusal(await admin('DELETE', `${RULES}/${body.id}`))[1]).toBe('platform_rule');
  expect(refusal(await inside('PATCH', `${RULES}/${body.id}`, { set_by: 'tenant' }))).toEqual([400, 'invalid_request', 'provider']);
});

test('a rule that would never be used is refused, and more than a tenant may have', async () => {
  await admin('POST', RULES, FILES);
  expect(refusal(await admin('POST', RULES, { ...FILES, path: '/v1/files/{file}' }))).toEqual([409, 'conflict', 'path']);
  for (const method of ['DELETE', 'PATCH']) expect((await admin('POST', RULES, { ...FILES, method })).status).toBe(200);
  expect(refusal(await admin('POST', RULES, { ...FILES, method: 'PUT' }))).toEqual([409, 'too_many', null]);
});
