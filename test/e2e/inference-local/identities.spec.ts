import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { selfSigned } from '../../support/certificate.js';
import { freePort } from '../../support/free-port.js';
import { type From, type NetworkReply, send } from '../../support/network-client.js';
import { answer, hang, json, USAGE } from '../../support/upstream.js';
import { addUpstream, admin, createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const PROXY = '127.0.0.9';
const HOST = { host: 'inference.local' };
const CHAT = { messages: [{ role: 'user', content: 'Hi' }] };

let home: string;
const { weir, upstream } = withWeir({
  environment: async () => {
    home = mkdtempSync(join(tmpdir(), 'weir-local-'));
    socketPath = join(home, 'box.sock');
    const port = await freePort();
    pods = `http://127.0.0.1:${port}`;
    return { WEIR_TRUSTED_PROXIES: PROXY, WEIR_INFERENCE_LISTEN: `pods=127.0.0.1:${port},box=${socketPath}` };
  },
  tenant: 'none',
});
let alice: TestTenant;
let bob: TestTenant;
/** The URL of a listener that nobody is bound to, and its Unix socket. */
let pods: string;
let socketPath: string;

beforeAll(async () => {
  [alice, bob] = [await createTenant(weir), await createTenant(weir)];
  for (const tenant of [alice, bob]) {
    await addUpstream(tenant, upstream.baseUrl);
    await tenant.admin('PUT', '/v1/organization/inference', { provider: 'up', model: 'test-model', verify: false });
  }
  await bind(alice, 'cidr', '127.0.0.2');
  await bind(bob, 'cidr', '127.0.0.3/32');
  await bind(alice, 'cidr', '127.0.4.0/24');
  await bind(alice, 'listener', 'box');
});

afterAll(async () => {
  rmSync(home, { recursive: true, force: true });
});

beforeEach(() => {
  upstream.script = answer();
});

const bind = (tenant: TestTenant, kind: string, value: string, more: object = {}): Promise<{ id: string }> =>
  admin(weir, weir.operatorKey, 'POST', `/v1/platform/tenants/${tenant.id}/inference/bindings`, {
    kind,
    value,
    ...(kind === 'cidr' && { allow_loopback: true }),
    ...more,
  });

const chat = (localAddress: string, headers: Record<string, string> = {}, body: object = CHAT): Promise<NetworkReply> =>
  send(`${weir.publicUrl}/v1/chat/completions`, { from: { localAddress }, headers: { ...HOST, ...headers }, body });

const codeOf = ({ status, body }: NetworkReply) => [status, body?.error?.code];

/** The tenant whose call an answer is of; null: it is none. */
async function payer(reply: NetworkReply): Promise<TestTenant | null> {
  const id = reply.headers['x-request-id'];
  for (const tenant of [alice, bob]) {
    const call = await tenant.admin<{ id: string }>('GET', `/v1/organization/calls/${id}`).catch(() => null);
    if (call) return tenant;
  }
  return null;
}

test('a call without a key is the tenant’s that its address is bound to, and goes to the model of its route', async () => {
  const before = upstream.calls.length;
  const reply = await chat('127.0.0.2', {}, { ...CHAT, model: 'gpt-of-the-agent' });
  expect(reply.status).toBe(200);
  expect(reply.headers).toMatchObject({ 'x-weir-provider': 'up', 'x-weir-model': 'up/test-model' });
  expect(upstream.calls.slice(before).map(({ body }) => body.model)).toEqual(['test-model']);
  const call = await alice.admin('GET', `/v1/organization/calls/${reply.headers['x-request-id']}`);
  expect(call).toMatchObject({ requested_model: 'gpt-of-the-agent', served_model: 'test-model-2026', project_id: alice.projectId });
  expect(await payer(await chat('127.0.0.3'))).toBe(bob);
});

test.each([
  ['/v1/chat/completions', CHAT],
  ['/v1/completions', { prompt: 'Hi', max_tokens: 5 }],
  ['/v1/responses', { input: 'Hi' }],
  ['/v1/messages', { ...CHAT, max_tokens: 5 }],
  ['/v1/embeddings', { input: 'Hi' }],
])('POST %s works there without a model in the body', async (path, body) => {
  if (path === '/v1/embeddings')
    upstream.script = json(200, { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.5] }], usage: USAGE });
  const reply = await send(weir.publicUrl + path, { from: { localAddress: '127.0.0.2' }, headers: HOST, body });
  expect([reply.status, upstream.calls.at(-1)!.body.model]).toEqual([200, 'test-model']);
});

test('GET /v1/models lists the one model', async () => {
  const reply = await send(`${weir.publicUrl}/v1/models`, { from: { localAddress: '127.0.0.2' }, headers: HOST });
  expect(reply.body.data.map(({ id }: { id: string }) => id)).toEqual(['up/test-model']);
});

test.each([
  ['GET', '/v1/key'],
  ['GET', '/v1/models/up/test-model'],
  ['POST', '/v1/messages/count_tokens'],
  ['POST', '/v1/chat/complete'],
  ['GET', '/v1/calls/call_1'],
  ['GET', '/livez'],
  ['GET', '/openapi.json'],
  ['GET', '/nothing'],
])('%s %s is not there, with a key or without', async (method, path) => {
  for (const headers of [HOST, { ...HOST, authorization: `Bearer ${alice.apiKey}` }]) {
    const reply = await send(weir.publicUrl + path, { from: { localAddress: '127.0.0.2' }, method, headers });
    expect(codeOf(reply)).toEqual([404, 'not_found']);
    expect(reply.text).toContain('on inference.local. It has POST /v1/chat/completions');
  }
});

test.each(['inference.local', 'inference.local:8080', 'INFERENCE.local.', 'Inference.Local:1'])(
  'the host may be written %s',
  async (host) => {
    expect((await chat('127.0.0.2', { host })).status).toBe(200);
  },
);

test.each(['inferense.local', 'inference.locale', 'inference-local'])(
  'the host %s is not it: without a key the refusal names it',
  async (host) => {
    const reply = await chat('127.0.0.2', { host });
    expect(codeOf(reply)).toEqual([401, 'invalid_api_key']);
    expect(reply.body.error.message).toContain('Did you mean inference.local?');
    expect((await chat('127.0.0.2', { host, authorization: `Bearer ${alice.apiKey}` }, { ...CHAT, model: 'up/test-model' })).status).toBe(
      200,
    );
  },
);

describe('nobody is let in by what it says of itself', () => {
  const CLAIMS: Record<string, string>[] = [
    {},
    { 'x-forwarded-for': '127.0.0.2' },
    { 'x-forwarded-for': '127.0.0.2', 'x-forwarded-host': 'inference.local' },
    { 'x-real-ip': '127.0.0.2' },
    { forwarded: 'for=127.0.0.2;host=inference.local' },
    { 'x-client-ip': '127.0.0.2', 'true-client-ip': '127.0.0.2', 'cf-connecting-ip': '127.0.0.2' },
    { 'x-ssl-client-cert': 'anything', 'x-forwarded-client-cert': 'Hash=anything' },
    { 'x-weir-tenant': 'ten_1' },
  ];

  test.each(CLAIMS)('from an address that is not bound, with %j', async (headers) => {
    const before = upstream.calls.length;
    const reply = await chat('127.0.0.5', headers);
    expect(reply.status).toBe(headers['x-weir-tenant'] ? 400 : 401);
    if (reply.status === 401) {
      expect(codeOf(reply)).toEqual([401, 'unknown_network_identity']);
      expect(reply.body.error.message).toContain('the address 127.0.0.5 is bound to no tenant');
      expect(reply.body.error.message).toContain('POST /v1/platform/tenants/{tenant_id}/inference/bindings');
    }
    expect(upstream.calls.length).toBe(before);
  });

  test.each<Record<string, string>>([
    { host: 'weir.example' },
    { host: 'weir.example', 'x-forwarded-host': 'inference.local' },
    { host: 'inference.local.evil.example' },
    { host: 'evil-inference.local.example' },
    { host: '' },
  ])('by an address that is bound, with %j', async (headers) => {
    expect(codeOf(await chat('127.0.0.2', headers))).toEqual([401, 'invalid_api_key']);
  });

  test('nor by another host that a trusted proxy names', async () => {
    const headers = { host: 'weir.example', 'x-forwarded-host': 'inference.local', 'x-forwarded-for': '127.0.0.2' };
    expect(codeOf(await chat(PROXY, headers))).toEqual([401, 'invalid_api_key']);
  });

  test('nor by an absolute URL, whatever its host', async () => {
    const { port } = new URL(weir.publicUrl);
    const options = { from: { localAddress: '127.0.0.5' }, headers: HOST, body: CHAT };
    const reply = await send(`http://127.0.0.1:${port}/http://inference.local/v1/chat/completions`, options);
    expect(codeOf(reply)).toEqual([404, 'not_found']);
  });

  test('nor by a second Host header', async () => {
    const { hostname, port } = new URL(weir.publicUrl);
    const socket = connect({ host: hostname, port: Number(port), localAddress: '127.0.0.2' });
    socket.end('GET /v1/models HTTP/1.1\r\nHost: inference.local\r\nHost: weir.example\r\nConnection: close\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('behind a trusted proxy the address counts that the proxy names', () => {
  test.each<[string, string | undefined, 'alice' | 'bob' | null]>([
    ['one', '127.0.0.2', 'alice'],
    ['another', '127.0.0.3', 'bob'],
    ['the last of several', '127.0.0.2, 127.0.0.3', 'bob'],
    ['one behind another proxy', `127.0.0.2, ${PROXY}`, 'alice'],
    ['with its port', '127.0.0.2:4711', 'alice'],
    ['in the form of IPv6', '::ffff:127.0.0.2', 'alice'],
    ['one that is not bound', '127.0.0.2, 127.0.0.5', null],
    ['no address', 'unknown', null],
    ['itself', PROXY, null],
    ['none', undefined, null],
  ])('%s', async (_what, forwarded, expected) => {
    const reply = await chat(PROXY, forwarded === undefined ? {} : { 'x-forwarded-for': forwarded });
    expect(reply.status).toBe(expected === null ? 401 : 200);
    expect(await payer(reply)).toBe(expected === null ? null : expected === 'alice' ? alice : bob);
    if (forwarded === undefined) expect(reply.body.error.message).toContain('a trusted proxy that names no client in X-Forwarded-For');
  });

  test('the proxy itself is nobody, though a network with it is bound', async () => {
    const { id } = await bind(alice, 'cidr', '127.0.0.8/29');
    expect((await chat('127.0.0.10')).status).toBe(200);
    expect((await chat(PROXY)).status).toBe(401);
    await admin(weir, weir.operatorKey, 'DELETE', `/v1/platform/tenants/${alice.id}/inference/bindings/${id}`);
    expect((await chat('127.0.0.10')).status).toBe(401);
  });
});

describe('with a key', () => {
  test('the call is that of the key, and the model that of its tenant’s route', async () => {
    for (const from of ['127.0.0.3', '127.0.0.5']) {
      const reply = await chat(from, { authorization: `Bearer ${alice.apiKey}` }, { ...CHAT, model: 'nothing/at-all' });
      expect([reply.status, reply.headers['x-weir-model']]).toEqual([200, 'up/test-model']);
      expect(await payer(reply)).toBe(alice);
    }
  });

  test('one that is not valid is refused, also from an address that is bound', async () => {
    for (const key of [`${alice.apiKey.slice(0, -1)}x`, 'weir_sk_none', alice.adminKey])
      expect(codeOf(await chat('127.0.0.2', { authorization: `Bearer ${key}` }))).toEqual([401, 'invalid_api_key']);
  });

  test('one that is no key of Weir’s is no key: libraries always send one', async () => {
    const strangers: Record<string, string>[] = [{ authorization: 'Bearer unused' }, { 'x-api-key': 'sk-ant-1234' }];
    for (const headers of strangers) {
      const reply = await chat('127.0.0.2', headers);
      expect(await payer(reply)).toBe(alice);
      expect(JSON.stringify(upstream.calls.at(-1)!.headers)).not.toMatch(/unused|sk-ant/);
      expect(codeOf(await chat('127.0.0.5', headers))).toEqual([401, 'unknown_network_identity']);
    }
  });

  test('the models that the key may use still hold', async () => {
    const { value } = await alice.admin<{ value: string }>('POST', `/v1/organization/projects/${alice.projectId}/api_keys`, {
      name: 'other',
      models: ['up/other/model'],
    });
    expect(codeOf(await chat('127.0.0.2', { authorization: `Bearer ${value}` }))).toEqual([403, 'model_not_allowed']);
  });
});

test('the longest network counts', async () => {
  const project = await alice.admin<{ id: string }>('POST', '/v1/organization/projects', { name: 'inner' });
  await bind(alice, 'cidr', '127.0.4.128/25', { project_id: project.id });
  const projectOf = async (from: string) =>
    (await alice.admin<{ project_id: string }>('GET', `/v1/organization/calls/${(await chat(from)).headers['x-request-id']}`)).project_id;
  expect([await projectOf('127.0.4.1'), await projectOf('127.0.4.200')]).toEqual([alice.projectId, project.id]);
  await alice.admin('POST', `/v1/organization/projects/${project.id}/archive`);
  expect(await projectOf('127.0.4.200')).toBe(alice.projectId);
});

describe('an extra listener', () => {
  const call = (url: string, from: From, headers: Record<string, string> = {}) =>
    send(`${url}/v1/chat/completions`, { from, headers, body: CHAT });

  test('on a Unix socket: whoever may open it is the tenant, whatever the host', async () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o660);
    for (const host of ['inference.local', 'localhost', 'anything.example']) {
      const reply = await call('http://localhost', { socketPath }, { host, 'x-forwarded-for': '127.0.0.3' });
      expect([reply.status, await payer(reply)]).toEqual([200, alice]);
    }
    const models = await send('http://localhost/v1/models', { from: { socketPath } });
    expect(models.body.data).toHaveLength(1);
    expect((await send('http://localhost/v1/key', { from: { socketPath } })).status).toBe(404);
  });

  test('goes before the address, and is nobody’s until it is bound', async () => {
    expect(codeOf(await call(pods, { localAddress: '127.0.0.5' }))).toEqual([401, 'unknown_network_identity']);
    expect(await payer(await call(pods, { localAddress: '127.0.0.3' }))).toBe(bob);
    const { id } = await bind(alice, 'listener', 'pods');
    for (const localAddress of ['127.0.0.3', '127.0.0.5']) expect(await payer(await call(pods, { localAddress }))).toBe(alice);
    expect(await payer(await call(pods, {}, { authorization: `Bearer ${bob.apiKey}` }))).toBe(bob);
    await admin(weir, weir.operatorKey, 'DELETE', `/v1/platform/tenants/${alice.id}/inference/bindings/${id}`);
    expect((await call(pods, { localAddress: '127.0.0.5' })).status).toBe(401);
  });
});

test('a route’s time-out ends its calls', async () => {
  await alice.admin('PUT', '/v1/organization/inference', { provider: 'up', model: 'test-model', timeout_ms: 300, verify: false });
  upstream.script = hang;
  const startedAt = performance.now();
  expect(codeOf(await chat('127.0.0.2'))).toEqual([504, 'upstream_timeout']);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  await alice.admin('PUT', '/v1/organization/inference', { provider: 'up', model: 'test-model', verify: false });
});

test('a route that is not set, or leads nowhere, is told as such, in the form of the endpoint', async () => {
  const carol = await createTenant(weir);
  await bind(carol, 'cidr', '127.0.0.6');
  const reply = await chat('127.0.0.6');
  expect(codeOf(reply)).toEqual([503, 'inference_not_configured']);
  expect(reply.body.error.message).toContain('PUT /v1/organization/inference');
  const messages = await send(`${weir.publicUrl}/v1/messages`, {
    from: { localAddress: '127.0.0.6' },
    headers: HOST,
    body: { ...CHAT, max_tokens: 5 },
  });
  expect([messages.status, messages.body.type]).toEqual([503, 'error']);

  await addUpstream(carol, upstream.baseUrl);
  await carol.admin('PUT', '/v1/organization/inference', { provider: 'up', model: 'test-model', verify: false });
  expect((await chat('127.0.0.6')).status).toBe(200);
  const { data } = await carol.admin<{ data: { id: string }[] }>('GET', '/v1/organization/providers');
  await carol.admin('DELETE', `/v1/organization/providers/${data[0]!.id}`);
  const gone = await chat('127.0.0.6');
  expect(codeOf(gone)).toEqual([503, 'inference_not_configured']);
  expect(gone.body.error.message).toContain('"up/test-model", cannot be called by this tenant');
});

test('an Idempotency-Key works without a key', async () => {
  const headers = { 'idempotency-key': 'once' };
  const [first, second] = [await chat('127.0.0.2', headers), await chat('127.0.0.2', headers)];
  expect([first.status, second.headers['x-request-id']]).toEqual([200, first.headers['x-request-id']]);
});

test('a suspended tenant makes no calls, and a deleted binding is none', async () => {
  const dave = await createTenant(weir);
  const { id } = await bind(dave, 'cidr', '127.0.0.7');
  await admin(weir, weir.operatorKey, 'POST', `/v1/platform/tenants/${dave.id}/suspend`);
  expect(codeOf(await chat('127.0.0.7'))).toEqual([403, 'tenant_suspended']);
  await admin(weir, weir.operatorKey, 'POST', `/v1/platform/tenants/${dave.id}/resume`);
  expect(codeOf(await chat('127.0.0.7'))).toEqual([503, 'inference_not_configured']);
  await admin(weir, weir.operatorKey, 'DELETE', `/v1/platform/tenants/${dave.id}/inference/bindings/${id}`);
  expect(codeOf(await chat('127.0.0.7'))).toEqual([401, 'unknown_network_identity']);
});

describe('client certificates', () => {
  let directory: string;
  let mtls: TestWeir;
  let url: string;
  const pairs: Record<string, { cert: Buffer; key: Buffer }> = {};
  let server: Buffer;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'weir-mtls-'));
    for (const name of ['one', 'two', 'stranger']) {
      const { cert, key } = selfSigned(directory, name, `DNS:${name}`);
      pairs[name] = { cert: readFileSync(cert), key: readFileSync(key) };
    }
    const ca = join(directory, 'ca.pem');
    writeFileSync(ca, Buffer.concat([pairs['one']!.cert, pairs['two']!.cert]));
    const { cert, key } = selfSigned(directory, 'weir', 'IP:127.0.0.1');
    server = readFileSync(cert);
    const port = await freePort();
    url = `https://127.0.0.1:${port}`;
    mtls = await startTestWeir({
      WEIR_EGRESS_ALLOW: upstream.hostPort,
      WEIR_TLS_CERT: cert,
      WEIR_TLS_KEY: key,
      WEIR_INFERENCE_CLIENT_CA: ca,
      WEIR_INFERENCE_LISTEN: `pods=127.0.0.1:${port}`,
    });
  });

  afterAll(async () => {
    await mtls.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const fingerprint = (name: string) => new X509Certificate(pairs[name]!.cert).fingerprint256;
  const call = (name: string | null) => send(`${url}/v1/models`, { from: { ca: server, ...(name === null ? {} : pairs[name]) } });

  test('one that the CA signed is the tenant’s that bound it, before the listener; without one nothing is read', async () => {
    const made = async () => {
      const tenant = await admin<{ id: string; admin_key: string }>(mtls, mtls.operatorKey, 'POST', '/v1/platform/tenants', { name: 't' });
      const act = <T>(method: string, path: string, body?: object) => admin<T>(mtls, tenant.admin_key, method, path, body);
      await act('POST', '/v1/organization/providers', {
        type: 'openai',
        name: 'up',
        base_url: upstream.baseUrl,
        key: 'sk-1',
        models: ['m'],
      });
      await act('PUT', '/v1/organization/inference', { provider: 'up', model: 'm', verify: false });
      return { ...tenant, act };
    };
    const [first, second] = [await made(), await made()];
    expect(codeOf(await call('one'))).toEqual([401, 'unknown_network_identity']);
    const bound = await first.act<{ id: string; value: string }>('POST', '/v1/organization/inference/bindings', {
      kind: 'client_certificate',
      value: fingerprint('one'),
    });
    expect(bound.value).toBe(fingerprint('one').replaceAll(':', '').toLowerCase());
    expect((await call('one')).status).toBe(200);
    expect((await call('two')).status).toBe(401);
    await admin(mtls, mtls.operatorKey, 'POST', `/v1/platform/tenants/${second.id}/inference/bindings`, {
      kind: 'listener',
      value: 'pods',
    });
    await second.act('PUT', '/v1/organization/inference', { provider: 'up', model: 'm', verify: false, timeout_ms: 5 });
    expect((await call('two')).status).toBe(200);
    await first.act('DELETE', '/v1/organization/inference');
    expect([(await call('one')).status, (await call('two')).status]).toEqual([503, 200]);
    await first.act('DELETE', `/v1/organization/inference/bindings/${bound.id}`);
    expect((await call('one')).status).toBe(200);
    for (const name of ['stranger', null]) await expect(call(name)).rejects.toThrow();
  });
});

test('a socket that a killed process left is replaced, and one that is in use is not', async () => {
  const path = join(home, 'left.sock');
  const other = createServer().listen(path);
  await new Promise((resolve) => other.on('listening', resolve));
  await expect(startTestWeir({ WEIR_INFERENCE_LISTEN: `left=${path}` })).rejects.toThrow('EADDRINUSE');
  await new Promise((resolve) => other.close(resolve));

  spawnSync(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  expect(statSync(path).isSocket()).toBe(true);
  const again = await startTestWeir({ WEIR_INFERENCE_LISTEN: `left=${path}` });
  expect((await send('http://localhost/v1/models', { from: { socketPath: path } })).status).toBe(401);
  await again.stop();
});
