import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuthorizationServer } from '../../support/authorization-server.js';
import { selfSigned } from '../../support/certificate.js';
import { ConnectProxy } from '../../support/connect-proxy.js';
import { createDatabase, openPool, type TestDatabase } from '../../support/database.js';
import { WeirProcess } from '../../support/process.js';
import { answer, ScriptedUpstream } from '../../support/upstream.js';
import { booked, createTenant, eventually, type TestTenant, type TestWeir } from '../../support/weir.js';

const PROVIDER = '93.184.215.14';
const LOGINS = '10.9.0.1:8000';
const PASSWORD = 'pa/ss:word-of-the-proxy';

const directory = mkdtempSync(join(tmpdir(), 'weir-proxied-'));

let proxy: ConnectProxy;
let upstream: ScriptedUpstream;
let logins: AuthorizationServer;
let database: TestDatabase;
let product: WeirProcess;
let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  const { cert, key } = selfSigned(directory, 'provider', `IP:${PROVIDER}`);
  upstream = await ScriptedUpstream.start({ cert: readFileSync(cert), key: readFileSync(key) });
  logins = await AuthorizationServer.start();
  proxy = await ConnectProxy.start();
  proxy.routes.set(`${PROVIDER}:443`, upstream.hostPort).set(LOGINS, logins.hostPort);
  database = await createDatabase();
  product = WeirProcess.spawn({
    DATABASE_URL: database.url,
    WEIR_HOME: join(directory, 'home'),
    WEIR_MASTER_KEY: 'test master key, at least 32 characters',
    WEIR_LEDGER_TIMEOUT_MS: '5000',
    WEIR_EGRESS_PROXY: `http://weir:${encodeURIComponent(PASSWORD)}@127.0.0.1:${proxy.port}`,
    WEIR_EGRESS_ALLOW: LOGINS,
    NODE_EXTRA_CA_CERTS: cert,
    // Not consulted: they would lead nowhere.
    HTTPS_PROXY: 'http://127.0.0.1:1',
    NO_PROXY: '*',
  });
  const ready = await product.ready();
  weir = {
    publicUrl: ready.public,
    adminUrl: ready.admin,
    operatorKey: ready.operator_key!,
    db: openPool(database.url),
    databaseUrl: database.url,
    stop: async () => {},
  };
  tenant = await createTenant(weir);
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'up', model: '*', input: '1', output: '2' });
});

afterAll(async () => {
  await WeirProcess.endAll('SIGTERM');
  await weir.db.end();
  await database.drop();
  await Promise.all([proxy.stop(), upstream.stop(), logins.stop()]);
  rmSync(directory, { recursive: true, force: true });
});

const REQUEST = { model: 'up/test-model', messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 100 };

test('a probe, the token of a credential and calls, whole and streamed, go through the proxy', async () => {
  await tenant.admin('POST', '/v1/organization/providers', {
    name: 'up',
    type: 'azure-openai',
    base_url: `https://${PROVIDER}/v1`,
    credential: { type: 'entra', tenant_id: 't', client_id: 'c', client_secret: 's', authority: `http://${LOGINS}` },
    models: ['test-model'],
    no_verify: false,
  });
  const probes = upstream.calls.length;
  expect(probes).toBeGreaterThan(0);
  expect(logins.requests.length).toBeGreaterThan(0);
  await eventually(async () => (await tenant.openai.models.list()).data.length > 0);

  const whole = await tenant.openai.chat.completions.create(REQUEST);
  expect(whole.choices[0]!.message.content).toBe('Hello from upstream');
  let text = '';
  for await (const chunk of await tenant.openai.chat.completions.create({ ...REQUEST, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? '';
  }
  expect(text).toBe('Hello from upstream');
  expect(upstream.calls).toHaveLength(probes + 2);
  expect(upstream.calls.at(-1)!.headers['authorization']).toMatch(/^Bearer token-\d+$/);

  const authorization = `Basic ${Buffer.from(`weir:${PASSWORD}`).toString('base64')}`;
  for (const head of proxy.heads) {
    const [first, ...rest] = head.trimEnd().split('\r\n');
    expect([`CONNECT ${PROVIDER}:443 HTTP/1.1`, `CONNECT ${LOGINS} HTTP/1.1`]).toContain(first);
    expect(rest).toEqual([expect.stringMatching(/^host: /), `proxy-authorization: ${authorization}`]);
  }
  await eventually(async () => (await booked(weir, tenant)).length === 2);
});

test('a call that the proxy does not let out is refused, costs nothing, and is logged as what it was, without the password', async () => {
  proxy.answering = () => ({ reply: 'HTTP/1.1 403 Forbidden\r\n\r\n' });
  await tenant.admin('POST', '/v1/organization/providers', {
    name: 'other',
    type: 'openai',
    base_url: `https://${PROVIDER.replace(/14$/, '15')}/v1`,
    key: 'sk-other',
    models: ['m'],
  });
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'other', model: '*', input: '1', output: '2' });
  await eventually(async () => (await tenant.openai.models.list()).data.some(({ id }) => id === 'other/m'));
  upstream.script = answer();
  const refused = await tenant.openai.chat.completions.create({ ...REQUEST, model: 'other/m' }).catch((error) => error);
  expect([refused.status, refused.code]).toEqual([502, 'upstream_unreachable']);
  await eventually(async () => (await booked(weir, tenant)).length === 3);
  expect((await booked(weir, tenant)).at(-1)).toMatchObject({ status: 'failed', amount: null });
  await eventually(async () => product.stderr.includes('the egress proxy answered 403'));
  for (const form of [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(`weir:${PASSWORD}`).toString('base64')])
    expect(product.stderr + product.stdout).not.toContain(form);
});
