import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { readConfig } from '../../../src/platform/config/index.js';
import { startWeir, type Weir } from '../../../src/roles/weir.js';
import { createDatabase, openPool, type TestDatabase } from '../../support/database.js';
import { answer, delta, json, ScriptedUpstream } from '../../support/upstream.js';
import { booked, createTenant, eventually, type TestTenant, type TestWeir } from '../../support/weir.js';
import { clientOf, type Send } from '../admin/client.js';

const home = mkdtempSync(join(tmpdir(), 'weir-test-'));
const CREDENTIALS = '/v1/platform/credentials';
const SECRETS = ['sk-of-the-operator-1111', 'sk-of-the-operator-2222', 'sk-of-the-environment-3333', 'a-header-of-the-platform'];

let upstream: ScriptedUpstream;
let database: TestDatabase;
let db: Pool;
let running: Weir;
let weir: TestWeir;
let operator: Send;
let tenant: TestTenant;
/** All that the admin API answered here. */
let answered = '';

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  database = await createDatabase();
  db = openPool(database.url);
  await start();
  await operator('POST', '/v1/platform/prices', { provider: 'openai', model: 'test-model', input: '1', output: '2' });
  tenant = await createTenant(weir);
});

beforeEach(() => {
  upstream.script = answer();
});

afterAll(async () => {
  await running.stop(1_000);
  await Promise.all([upstream.stop(), db.end()]);
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});

/** Starts the product, again and again on the same database. */
async function start(variables: Record<string, string> = {}): Promise<void> {
  const environment = {
    DATABASE_URL: database.url,
    WEIR_HOME: home,
    WEIR_PUBLIC_PORT: '0',
    WEIR_ADMIN_PORT: '0',
    WEIR_MASTER_KEY: 'test master key, at least 32 characters',
    WEIR_LOG_LEVEL: 'silent',
    WEIR_LEDGER_TIMEOUT_MS: '5000',
    WEIR_EGRESS_ALLOW: upstream.hostPort,
    ...variables,
  };
  running = await startWeir(readConfig(environment, home));
  const operatorKey = running.start!.operatorKey ?? weir.operatorKey;
  weir = { publicUrl: running.publicUrl!, adminUrl: running.adminUrl, operatorKey, db, databaseUrl: database.url, stop: async () => {} };
  const send = clientOf(weir, operatorKey);
  operator = async (...request) => {
    const reply = await send(...request);
    answered += JSON.stringify(reply.body);
    return reply;
  };
}

async function restart(variables: Record<string, string> = {}): Promise<void> {
  await running.stop(1_000);
  await start(variables);
}

interface Made {
  id: string;
  keys: { id: string; last4: string; health: string }[];
}

const make = async (fields: object): Promise<Made> => {
  const { status, body } = await operator('POST', CREDENTIALS, { type: 'openai', base_url: upstream.baseUrl, ...fields });
  expect([status, body.error]).toEqual([200, undefined]);
  return body as unknown as Made;
};
const grant = ({ id }: Made) => operator('POST', `${CREDENTIALS}/${id}/grants`, { tenant: tenant.id });

const call = (model: string, body: object = {}) =>
  fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 50, ...body }),
  });
const answers = (model: string, status: number) => eventually(async () => (await call(model)).status === status);
const keysShown = () => upstream.calls.map(({ headers }) => headers['authorization']);

test('a tenant calls through what an operator made once it is granted, is billed for it, and is refused once the grant is gone', async () => {
  const made = await make({ name: 'house', key: SECRETS[0], models: ['test-model'], headers: { 'x-team': SECRETS[3] } });
  expect(made).toMatchObject({ object: 'platform_credential', name: 'house', provider: 'house', source: 'operator', headers: ['x-team'] });
  expect((await call('house/test-model')).status).toBe(404);
  expect(upstream.calls).toEqual([]);

  await grant(made);
  await answers('house/test-model', 200);
  expect(upstream.calls[0]!.headers).toMatchObject({ authorization: `Bearer ${SECRETS[0]}`, 'x-team': SECRETS[3] });
  await eventually(async () => (await booked(weir, tenant)).length === upstream.calls.length);
  expect((await booked(weir, tenant))[0]).toMatchObject({ status: 'completed', kind: 'usage', input: 9, output: 12, amount: 33_000n });

  await operator('DELETE', `${CREDENTIALS}/${made.id}/grants/${tenant.id}`);
  await answers('house/test-model', 404);
  const sent = upstream.calls.length;
  expect(await (await call('house/test-model')).json()).toMatchObject({
    error: { code: 'model_not_found', message: expect.stringMatching(/^There is no provider "house", asked for by "house\/test-model"/) },
  });
  expect(upstream.calls).toHaveLength(sent);
});

test('what a granted provider costs the platform says, or an operator for this tenant, and never the tenant', async () => {
  await grant(await make({ name: 'lent', key: SECRETS[0], models: ['test-model'] }));
  await answers('lent/test-model', 200);
  const costs = async () => (await call('lent/test-model')).headers.get('x-weir-cost');
  const prices = '/v1/organization/prices';
  await clientOf(weir, tenant.adminKey)('POST', prices, { provider: 'lent', model: 'test-model', input: '0', output: '0' });
  await operator('POST', prices, { provider: 'lent', model: 'test-model', input: '10', output: '20' }, { 'x-weir-tenant': tenant.id });
  await eventually(async () => (await costs()) !== '0.000033');
  expect(await costs()).toBe('0.00033');
  await clientOf(weir, tenant.adminKey)('POST', prices, { provider: 'lent', model: 'test-model', input: '0', output: '0' });
  // A change of the same tenant that came later shows that the gateway has read the price before it.
  const told = { type: 'openai', name: 'told', base_url: upstream.baseUrl, key: 'sk-told', models: ['m'] };
  await clientOf(weir, tenant.adminKey)('POST', '/v1/organization/providers', told);
  await eventually(async () => (await tenant.openai.models.list()).data.some(({ id }) => id === 'told/m'));
  expect(await costs()).toBe('0.00033');
});

test("a tenant's own provider goes before a granted one of the same name, and neither is shown the other's key", async () => {
  const other = await ScriptedUpstream.start();
  await restart({ WEIR_EGRESS_ALLOW: `${upstream.hostPort},${other.hostPort}` });
  const made = await make({ name: 'shared', key: SECRETS[0] });
  await grant(made);
  await answers('shared/test-model', 200);
  const own = clientOf(weir, tenant.adminKey);
  const body = { type: 'openai', name: 'shared', base_url: other.baseUrl, key: 'sk-of-the-tenant-itself' };
  const { body: hidden } = await own('POST', '/v1/organization/providers', body);
  await own('POST', '/v1/organization/prices', { provider: 'shared', model: '*', input: '1', output: '2' });
  await eventually(async () => {
    await call('shared/test-model');
    return other.calls.length > 0;
  });
  expect(JSON.stringify(other.calls)).not.toContain(SECRETS[0]);
  // Without a key of its own it is called without one.
  await own('PATCH', `/v1/organization/providers/${hidden.id}`, { key: null });
  await eventually(async () => {
    await call('shared/test-model');
    return other.calls.at(-1)!.headers['authorization'] === undefined;
  });
  const sent = upstream.calls.length;
  await own('DELETE', `/v1/organization/providers/${hidden.id}`);
  await eventually(async () => {
    await call('shared/test-model');
    return upstream.calls.length > sent;
  });
  expect(keysShown()).not.toContain('Bearer sk-of-the-tenant-itself');
  await other.stop();
});

test("what is the platform's a tenant can neither read nor change", async () => {
  const made = await make({ name: 'mine', key: SECRETS[0] });
  await grant(made);
  const own = clientOf(weir, tenant.adminKey);
  const path = `/v1/organization/providers/${made.id}`;
  expect((await own('GET', '/v1/organization/providers')).body.data.map(({ id }) => id)).not.toContain(made.id);
  for (const [method, at, body] of [
    ['GET', path],
    ['PATCH', path, { base_url: 'https://provider.example' }],
    ['POST', `${path}/probe`],
    ['POST', `${path}/keys`, { key: 'sk-x' }],
    ['DELETE', `${path}/keys/${made.keys[0]!.id}`],
    ['DELETE', path],
  ] as const)
    expect([method, (await own(method, at, body)).status]).toEqual([method, 404]);
  expect((await operator('GET', `${CREDENTIALS}/${made.id}`)).body).toEqual(made);
});

test('keys are added and removed one by one, and each shows its health', async () => {
  const made = await make({ name: 'several', keys: [SECRETS[0]] });
  await grant(made);
  const path = `${CREDENTIALS}/${made.id}`;
  const { body: added } = await operator('POST', `${path}/keys`, { key: SECRETS[1] });
  const keys = added.keys as unknown as Made['keys'];
  expect(keys.map(({ last4 }) => last4)).toEqual(['1111', '2222']);
  upstream.script = (asked, response) =>
    json(asked.headers['authorization'] === `Bearer ${SECRETS[0]}` ? 429 : 200, { error: {} }, { 'retry-after': '60' })(asked, response);
  const health = async () => ((await operator('GET', path)).body.keys as unknown as Made['keys']).map((key) => key.health);
  await eventually(async () => {
    await call('several/test-model');
    return (await health())[0] === 'cooling';
  });
  expect(await health()).toEqual(['cooling', 'healthy']);
  upstream.script = answer();
  expect((await operator('DELETE', `${path}/keys/${keys[0]!.id}`)).body).toEqual({
    id: keys[0]!.id,
    object: 'provider.key',
    deleted: true,
    routes: [],
  });
  expect((await operator('DELETE', `${path}/keys/${keys[0]!.id}`)).status).toBe(404);
  await answers('several/test-model', 200);
  expect(keysShown().at(-1)).toBe(`Bearer ${SECRETS[1]}`);
});

test('one that is removed takes its keys and its grants along; a call in flight goes on to its end', async () => {
  const made = await make({ name: 'leaving', key: SECRETS[0] });
  await grant(made);
  await answers('leaving/test-model', 200);
  let finish = () => {};
  upstream.script = (asked, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ role: 'assistant', content: 'still ' }));
    finish = () => {
      asked.billed = { prompt_tokens: 9, completion_tokens: 2 };
      response.end(`${delta({ content: 'here' })}${delta({}, 'stop')}data: [DONE]\n\n`);
    };
  };
  const reply = await call('leaving/test-model', { stream: true });
  expect(reply.status).toBe(200);
  upstream.script = answer();
  expect((await operator('DELETE', `${CREDENTIALS}/${made.id}`)).body).toEqual({
    id: made.id,
    object: 'platform_credential',
    deleted: true,
  });
  await answers('leaving/test-model', 404);
  finish();
  const text = await reply.text();
  expect(text).toContain('here');
  expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true);
  for (const table of ['credentials', 'provider_grants', 'provider_headers'])
    expect((await db.query(`SELECT 1 FROM ${table} WHERE 'prov_' || replace(provider_id::text, '-', '') = $1`, [made.id])).rows).toEqual(
      [],
    );
  expect((await operator('GET', `${CREDENTIALS}/${made.id}`)).status).toBe(404);
  expect((await make({ name: 'leaving', key: SECRETS[1] })).id).not.toBe(made.id);
});

test('another key or address holds for the next call; another origin drops the keys', async () => {
  const made = await make({ name: 'changing', key: SECRETS[0] });
  await grant(made);
  await answers('changing/test-model', 200);
  const path = `${CREDENTIALS}/${made.id}`;
  await operator('PATCH', path, { key: SECRETS[1] });
  await eventually(async () => (await call('changing/test-model')).status === 200 && keysShown().at(-1) === `Bearer ${SECRETS[1]}`);
  expect((await operator('PATCH', path, { models: ['other'] })).body).toMatchObject({ models: ['other'], has_key: true });
  await answers('changing/test-model', 404);
  const moved = await operator('PATCH', path, { base_url: 'https://elsewhere.example/v1' });
  expect(moved.body).toMatchObject({ has_key: false, awaits_key: true });
  await answers('changing/other', 409);
});

test('an address is probed before it is saved, and the same questions can be asked later', async () => {
  upstream.script = json(401, { error: { message: 'no' } });
  const fields = { type: 'openai', name: 'asked', base_url: upstream.baseUrl, key: SECRETS[0], models: ['test-model'], no_verify: false };
  const refused = await operator('POST', CREDENTIALS, fields);
  expect([refused.status, refused.body.error.code]).toEqual([422, 'probe_failed']);
  upstream.script = answer();
  const { body } = await operator('POST', CREDENTIALS, fields);
  expect(body).toMatchObject({ name: 'asked', capabilities: { ok: true, chat: true } });
  upstream.script = json(401, { error: { message: 'no' } });
  expect((await operator('POST', `${CREDENTIALS}/${body.id}/probe`)).body).toMatchObject({ ok: false, class: 'auth' });
  expect(keysShown().at(-1)).toBe(`Bearer ${SECRETS[0]}`);
});

test.each<[string, object, number, string, RegExp]>([
  ['a name that is taken', { type: 'openai', name: 'house' }, 409, 'name', /named "house" already exists/],
  ['a type that is used by a login', { type: 'copilot' }, 400, 'type', /a tenant adds it itself/],
  ['an address that calls may not go to', { type: 'openai', base_url: 'https://10.0.0.1/v1' }, 400, 'base_url', /not a public one/],
  ['a mock, where it is off', { type: 'mock' }, 400, 'type', /WEIR_MOCK=1/],
  ['a key beside that of the environment', { type: 'openai', from_existing: true, key: 'k' }, 400, 'from_existing', /Leave "key"/],
  [
    'what the environment does not have',
    { type: 'gemini', from_existing: true },
    400,
    'from_existing',
    /^There is no credential for the type "gemini" in this process's environment, \.env\.local or \.env\. Looked for: GEMINI_API_KEY, GOOGLE_API_KEY\.$/,
  ],
  ['what no variable holds', { type: 'custom', from_existing: true }, 400, 'from_existing', /No variable .* Send "key" instead/],
])('%s is refused', async (_what, fields, status, param, message) => {
  const reply = await operator('POST', CREDENTIALS, fields);
  expect([reply.status, reply.body.error.param]).toEqual([status, param]);
  expect(reply.body.error.message).toMatch(message);
});

describe('what the environment has', () => {
  const list = async () => (await operator('GET', `${CREDENTIALS}?limit=100`)).body.data as unknown as (Made & { name: string })[];
  const named = async (name: string) => (await list()).find((one) => one.name === name);

  test('is taken when an operator asks for it, as .env.local is by then', async () => {
    writeFileSync(join(home, '.env.local'), `MISTRAL_API_KEY=${SECRETS[2]}\nGOOGLE_API_KEY=${SECRETS[2]}\nAZURE_OPENAI_ENDPOINT=ours\n`);
    const made = await operator('POST', CREDENTIALS, { type: 'mistral', from_existing: true });
    expect(made.body).toMatchObject({
      name: 'mistral',
      base_url: 'https://api.mistral.ai/v1',
      source: 'operator',
      keys: [{ last4: '3333' }],
    });
    const elsewhere = { type: 'gemini', name: 'near', base_url: upstream.baseUrl, from_existing: true };
    expect((await operator('POST', CREDENTIALS, elsewhere)).body).toMatchObject({
      name: 'near',
      base_url: upstream.baseUrl,
      has_key: true,
    });
    const { body } = await operator('POST', CREDENTIALS, { type: 'azure-openai', from_existing: true });
    expect(body.error).toMatchObject({ param: 'from_existing', message: expect.stringMatching(/^AZURE_OPENAI_ENDPOINT must be a URL/) });
    rmSync(join(home, '.env.local'));
  });

  test('is kept and destroyed by starts, but never what an operator made or gave another key', async () => {
    const [house, mistral] = [await named('house'), await named('mistral')];
    await restart({ GROQ_API_KEY: SECRETS[2]!, DEEPSEEK_API_KEY: SECRETS[2]!, MISTRAL_API_KEY: 'another' });
    expect([await named('house'), await named('mistral')]).toEqual([house, mistral]);
    const [groq, deepseek] = [(await named('groq'))!, (await named('deepseek'))!];
    expect([groq, deepseek]).toMatchObject([{ source: 'environment' }, { source: 'environment' }]);
    expect((await operator('PATCH', `${CREDENTIALS}/${groq.id}`, { key: SECRETS[1] })).body).toMatchObject({ source: 'operator' });
    expect((await operator('PATCH', `${CREDENTIALS}/${deepseek.id}`, { models: ['m'] })).body).toMatchObject({ source: 'environment' });

    await restart({ GROQ_API_KEY: SECRETS[2]! });
    expect(await named('groq')).toMatchObject({ has_key: true, keys: [{ last4: '2222' }] });
    expect(await named('deepseek')).toMatchObject({ has_key: false, models: ['m'] });
    expect(await named('house')).toEqual(house);
    await grant(house!);
    await answers('house/test-model', 200);
    expect(keysShown().at(-1)).toBe(`Bearer ${SECRETS[0]}`);
  });
});

test('no answer has a secret in it', () => {
  expect(answered.length).toBeGreaterThan(1_000);
  for (const secret of SECRETS) expect(answered).not.toContain(secret);
});
