import { send } from '../../support/network-client.js';
import { answer, json, ScriptedUpstream } from '../../support/upstream.js';
import { addUpstream, admin, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { type AdminReply, clientOf, type Send } from '../admin/client.js';

const ROUTE = '/v1/organization/inference';
const DEFAULT = '/v1/platform/inference';
const UP = { provider: 'up', model: 'test-model' };

let upstream: ScriptedUpstream;
let weir: TestWeir;
let operator: Send;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort, WEIR_TRUSTED_PROXIES: '127.0.0.1' });
  operator = clientOf(weir, weir.operatorKey);
});

afterAll(async () => {
  await weir.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.script = answer();
});

async function newTenant(): Promise<{ tenant: TestTenant; act: Send }> {
  const tenant = await createTenant(weir);
  await addUpstream(tenant, upstream.baseUrl);
  return { tenant, act: clientOf(weir, tenant.adminKey) };
}

const call = ({ apiKey }: TestTenant) =>
  send(`${weir.publicUrl}/v1/chat/completions`, {
    headers: { host: 'inference.local', authorization: `Bearer ${apiKey}` },
    body: { messages: [{ role: 'user', content: 'Hi' }] },
  });

const codeOf = ({ status, body }: AdminReply) => [status, body.error?.code];

test('a save asks the model first, and says what came', async () => {
  const { act } = await newTenant();
  upstream.script = json(401, { error: { message: 'no such key', code: 'invalid_api_key' } });
  const refused = await act('PUT', ROUTE, UP);
  expect(codeOf(refused)).toEqual([422, 'probe_failed']);
  expect(refused.body.error.message).toMatch(/^"up\/test-model" does not answer: auth, after \d+ ms\. .*"verify": false/);
  expect(codeOf(await act('GET', ROUTE))).toEqual([404, 'not_found']);
  expect((await act('PUT', ROUTE, { ...UP, verify: false })).body).toMatchObject({ callable: true, reason: null, check: null });
  upstream.script = answer();
  expect((await act('PUT', ROUTE, { ...UP, timeout_ms: 1_000 })).body).toMatchObject({
    object: 'inference_route',
    set_by: 'tenant',
    ...UP,
    timeout_ms: 1_000,
    local: null,
    active: UP,
    check: { ok: true, class: 'ok' },
    version: 2,
  });
});

test.each([
  [{ provider: 'upp', model: 'test-model' }, 'provider', 'Did you mean "up"?'],
  [{ provider: 'up', model: 'test-mode' }, 'model', 'Did you mean "up/test-model"?'],
  [{ provider: 'up', model: '*' }, 'model', 'must be one model'],
  [{ provider: 'up', model: 'test-model', local: { provider: 'up', model: 'test-model' } }, 'local', 'not known here'],
  [{ provider: 'up' }, 'model', 'is missing'],
  [{ ...UP, timeout_ms: 0 }, 'timeout_ms', 'timeout_ms'],
])('%j is refused', async (body, param, hint) => {
  const { act } = await newTenant();
  const reply = await act('PUT', ROUTE, body);
  expect([reply.status, reply.body.error.param]).toEqual([400, param]);
  expect(reply.body.error.message).toContain(hint);
});

test('with If-Match a route is set and deleted only as it was read, also after it was deleted and set again', async () => {
  const { act } = await newTenant();
  const put = (etag?: string) => act('PUT', ROUTE, { ...UP, verify: false }, etag === undefined ? {} : { 'if-match': etag });
  expect(codeOf(await put('"1"'))).toEqual([412, 'precondition_failed']);
  const first = (await put()).headers.get('etag')!;
  expect((await act('GET', ROUTE)).headers.get('etag')).toBe(first);
  const second = (await put(first)).headers.get('etag')!;
  expect(second).not.toBe(first);
  expect(codeOf(await put(first))).toEqual([412, 'precondition_failed']);
  expect(codeOf(await act('DELETE', ROUTE, undefined, { 'if-match': first }))).toEqual([412, 'precondition_failed']);
  expect((await act('DELETE', ROUTE, undefined, { 'if-match': second })).body).toEqual({ object: 'inference_route', deleted: true });
  expect(codeOf(await act('DELETE', ROUTE))).toEqual([404, 'not_found']);
  for (const etag of [first, second]) expect(codeOf(await put(etag))).toEqual([412, 'precondition_failed']);
  await put();
  for (const etag of [first, second]) expect(codeOf(await put(etag))).toEqual([412, 'precondition_failed']);
});

test('of many who set it with the same version, one does', async () => {
  const { act } = await newTenant();
  const etag = (await act('PUT', ROUTE, { ...UP, verify: false })).headers.get('etag')!;
  const replies = await Promise.all(
    Array.from({ length: 8 }, (_, i) => act('PUT', ROUTE, { ...UP, timeout_ms: i + 1, verify: false }, { 'if-match': etag })),
  );
  expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
});

test('reading says whether it works now: by what Weir knows, and when asked by what the model answers', async () => {
  const { tenant, act } = await newTenant();
  await act('PUT', ROUTE, UP);
  const calls = upstream.calls.length;
  expect((await act('GET', ROUTE)).body).toMatchObject({ callable: true, check: null });
  expect(upstream.calls.length).toBe(calls);
  upstream.script = json(503, { error: { message: 'down' } });
  expect((await act('GET', `${ROUTE}?verify=true`)).body).toMatchObject({ callable: true, check: { ok: false, class: 'server' } });
  const { data } = await tenant.admin<{ data: { id: string }[] }>('GET', '/v1/organization/providers');
  await tenant.admin('DELETE', `/v1/organization/providers/${data[0]!.id}`);
  const gone = (await act('GET', ROUTE)).body as unknown as { callable: boolean; reason: string };
  expect([gone.callable, gone.reason]).toEqual([false, expect.stringContaining('There is no provider "up"')]);
});

describe("the platform's default", () => {
  let managed: { id: string };
  let local: { id: string };
  let localServer: ScriptedUpstream;

  beforeAll(async () => {
    localServer = await ScriptedUpstream.start();
    const made = (name: string, server: ScriptedUpstream) =>
      admin<{ id: string }>(weir, weir.operatorKey, 'POST', '/v1/platform/credentials', {
        name,
        type: 'vllm',
        base_url: server.baseUrl,
        key: `sk-${name}`,
        models: ['m'],
      });
    await weir.stop();
    weir = await startTestWeir({ WEIR_EGRESS_ALLOW: `${upstream.hostPort},${localServer.hostPort}` });
    operator = clientOf(weir, weir.operatorKey);
    [managed, local] = [await made('managed', upstream), await made('vllm', localServer)];
    await admin(weir, weir.operatorKey, 'POST', '/v1/platform/prices', { provider: 'vllm', model: 'm', input: '1', output: '1' });
  });

  afterAll(() => localServer.stop());

  const grant = async (tenant: TestTenant) => {
    for (const { id } of [managed, local]) await operator('POST', `/v1/platform/credentials/${id}/grants`, { tenant: tenant.id });
  };

  test('holds for tenants that set no route, and were lent its provider', async () => {
    const [{ tenant, act }, { tenant: other, act: actOther }] = [await newTenant(), await newTenant()];
    expect((await call(tenant)).body.error.code).toBe('inference_not_configured');
    expect((await operator('PUT', DEFAULT, { provider: 'managed', model: 'm' })).body).toMatchObject({ set_by: 'operator', version: 1 });
    expect((await call(tenant)).body.error.message).toContain('"managed/m", cannot be called by this tenant');
    expect((await act('GET', ROUTE)).body).toMatchObject({ set_by: 'operator', callable: false });
    await grant(tenant);
    const reply = await call(tenant);
    expect([reply.status, reply.headers['x-weir-model']]).toEqual([200, 'managed/m']);
    const shown = await act('GET', ROUTE);
    expect([shown.body, shown.headers.get('etag')]).toMatchObject([{ set_by: 'operator', callable: true, provider: 'managed' }, null]);
    expect(codeOf(await act('DELETE', ROUTE))).toEqual([404, 'not_found']);

    await actOther('PUT', ROUTE, { ...UP, verify: false });
    expect((await call(other)).headers['x-weir-model']).toBe('up/test-model');
    await grant(other);
    await actOther('DELETE', ROUTE);
    expect((await call(other)).headers['x-weir-model']).toBe('managed/m');
    await operator('DELETE', DEFAULT);
    expect((await call(other)).body.error.code).toBe('inference_not_configured');
  });

  test('a tenant reads and sets no default', async () => {
    const { act } = await newTenant();
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect((await act(method, DEFAULT, method === 'PUT' ? { provider: 'managed', model: 'm' } : undefined)).status).toBe(403);
  });

  test('goes to the local model while that is healthy, and says which one and since when', async () => {
    const { tenant } = await newTenant();
    await grant(tenant);
    const body = { provider: 'managed', model: 'm', local: { provider: 'vllm', model: 'm', probe_seconds: 5 } };
    localServer.script = json(503, { error: { message: 'loading' } });
    const saved = await operator('PUT', DEFAULT, body);
    expect(saved.body).toMatchObject({ active: { provider: 'managed' }, local: { healthy: false, since: expect.any(Number) } });
    expect((await call(tenant)).headers['x-weir-model']).toBe('managed/m');

    localServer.script = answer();
    await eventually(async () => (await call(tenant)).headers['x-weir-model'] === 'vllm/m', 20_000);
    const up = (await operator('GET', DEFAULT)).body as unknown as { version: number; local: { since: number } };
    expect(up).toMatchObject({ active: { provider: 'vllm', model: 'm' }, local: { healthy: true, checked_at: expect.any(Number) } });
    expect(`"${up.version}"`).toBe(saved.headers.get('etag'));

    localServer.script = json(500, { error: { message: 'broken' } });
    await eventually(async () => (await call(tenant)).headers['x-weir-model'] === 'managed/m', 20_000);
    const down = (await operator('GET', DEFAULT)).body as unknown as { local: { since: number; healthy: boolean } };
    expect(down.local.healthy).toBe(false);
    expect(down.local.since).toBeGreaterThan(up.local.since);
  }, 60_000);
});
