import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Pool } from 'pg';
import { DataKeys } from '../../src/platform/crypto/data-keys.js';
import { createPool } from '../../src/platform/postgres/index.js';
import { type Emitted, findSecrets, formsOf } from '../support/canary.js';
import { createDatabase, openPool, runOnce, type TestDatabase } from '../support/database.js';
import { WeirProcess } from '../support/process.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { answer, chunk, delta, json, type Script, ScriptedUpstream, stream } from '../support/upstream.js';
import { eventually } from '../support/weir.js';
import { ROUTES } from './admin/routes.js';

jest.setTimeout(180_000);

const canary = (prefix: string): string => `${prefix}${randomBytes(24).toString('base64url')}`;

/** By what they are. */
const secrets: Record<string, string> = {
  'the master key': canary('master-'),
  'the previous master key': canary('previous-'),
  'the password of the database': canary('dsn'),
  'a platform key of the environment': canary('sk-env-'),
  'a platform key of an operator': canary('sk-operator-'),
  'the password of the proxy': canary('proxy-'),
  'a key shown as a bearer token': canary('sk-bearer-'),
  'a key shown in a header of its own': canary('sk-ant-'),
  'a key of several': canary('sk-several-'),
  'another key of several': canary('sk-several-'),
  'a part of a credential': canary('sk-part-'),
  'another part of a credential': canary('part-'),
  "a header of the customer's own": canary('team-'),
  'a key that was replaced': canary('sk-replaced-'),
  'a key that is no valid one': `${canary('sk-invalid-')} with a space`,
  'a client key that is not known': `weir_sk_${'a'.repeat(16)}_${randomBytes(32).toString('base64url')}_00000000`,
  'a client key of another vendor': canary('sk-proj-'),
};

let database: TestDatabase;
let db: Pool;
let upstream: ScriptedUpstream;
/** Null on a machine that has none. */
let redis: TestRedis | null;
let weir: WeirProcess;
let publicUrl: string;
let adminUrl: string;
let operatorKey: string;
const home = mkdtempSync(join(tmpdir(), 'weir-canary-'));
const redisHome = mkdtempSync(join(tmpdir(), 'weir-canary-redis-'));
const role = `canary_${randomBytes(6).toString('hex')}`;
const emitted: Emitted[] = [];
let environment: Record<string, string>;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  const password = secrets['the password of the database']!;
  await db.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${password}'`);
  const url = new URL(database.url);
  url.username = role;
  url.password = password;
  upstream = await ScriptedUpstream.start();
  redis = await startRedis({ directory: redisHome });
  environment = {
    DATABASE_URL: url.href,
    ...(redis && { REDIS_URL: redis.url }),
    WEIR_HOME: home,
    WEIR_MASTER_KEY: secrets['the master key']!,
    WEIR_MASTER_KEY_PREVIOUS: secrets['the previous master key']!,
    WEIR_EGRESS_ALLOW: `${upstream.hostPort},127.0.0.1:1`,
    // Not there, and only asked for what is not on this machine.
    WEIR_EGRESS_PROXY: `http://weir:${secrets['the password of the proxy']}@127.0.0.1:1`,
    WEIR_LOG_LEVEL: 'debug',
    OPENAI_API_KEY: secrets['a platform key of the environment']!,
  };
  // It begins under the previous master key, and goes on under the other.
  const before = WeirProcess.spawn({ ...environment, WEIR_MASTER_KEY: secrets['the previous master key']!, WEIR_MASTER_KEY_PREVIOUS: '' });
  operatorKey = (await before.ready()).operator_key!;
  await before.kill('SIGTERM');
  note('the log of the first start', before.stderr);
  weir = WeirProcess.spawn(environment);
  const ready = await weir.ready();
  [publicUrl, adminUrl] = [ready.public, ready.admin];
  secret('the operator key', operatorKey);
});

afterAll(async () => {
  await WeirProcess.endAll('SIGKILL');
  await upstream?.stop();
  await redis?.stop();
  await db?.end();
  const server = new URL(database.url);
  server.pathname = '/postgres';
  await database?.drop();
  await runOnce(server.href, `DROP ROLE IF EXISTS ${role}`);
  rmSync(home, { recursive: true, force: true });
  rmSync(redisHome, { recursive: true, force: true });
});

function note(where: string, text: string): void {
  emitted.push({ where, text });
}

/** Of a key of ours the look-up id is no secret. */
function secret(name: string, key: string): string {
  secrets[name] = key.split('_').slice(3).join('_');
  return key;
}

/** Asks, and notes all of what is answered. */
async function ask(where: string, url: string, key: string | null, method = 'GET', body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method,
    headers: {
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  note(`${where} (${response.status})`, `${JSON.stringify([...response.headers])}\n${text}`);
  return { status: response.status, text };
}

/** Makes something through the admin REST; a reply that shows a key this once is not noted. */
async function make<T>(key: string, path: string, body: object, shows = false): Promise<T> {
  const noted = emitted.length;
  const { status, text } = await ask(`POST ${path}`, adminUrl + path, key, 'POST', body);
  if (status !== 200) throw new Error(`POST ${path} answered ${status}`);
  if (shows) emitted.splice(noted);
  return JSON.parse(text) as T;
}

const BODIES: Record<string, object> = {
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 50 },
  '/v1/responses': { input: 'Hello', max_output_tokens: 50 },
  '/v1/messages': { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 50 },
  '/v1/completions': { prompt: 'Hello', max_tokens: 50 },
};

/** What the provider was shown, in whatever header. */
const shownTo = ({ headers }: { headers: Record<string, unknown> }): string =>
  ['authorization', 'x-api-key', 'x-second-key', 'x-team'].map((name) => `${name}: ${headers[name]}`).join(' ');

/** A provider that tells everybody what it was shown. */
const tells = (status: number, shape: (shown: string) => unknown, headers?: (shown: string) => Record<string, string>): Script => {
  return (call, response) => json(status, shape(shownTo(call)), headers?.(shownTo(call)) ?? {})(call, response);
};
const openAiError = (shown: string) => ({ error: { message: `You sent ${shown}`, type: 'x', code: 'y', param: shown } });
const anthropicError = (shown: string) => ({ type: 'error', error: { type: 'authentication_error', message: `You sent ${shown}` } });
const inStream =
  (pieces: string[], event: (shown: string) => string): Script =>
  (call, response) =>
    stream([...pieces, event(shownTo(call))])(call, response);

const SCRIPTS: Record<string, Script> = {
  answers: answer(),
  ...Object.fromEntries(
    [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 503].flatMap((status) => [
      [`refuses with ${status}, as OpenAI does`, tells(status, openAiError)],
      [`refuses with ${status}, as Anthropic does`, tells(status, anthropicError)],
    ]),
  ),
  'refuses with plain text': tells(401, (shown) => `You sent ${shown}`),
  'refuses with a list': tells(400, (shown) => [{ error: { message: shown, status: 'INVALID_ARGUMENT' } }]),
  'refuses, and says it in headers': tells(429, openAiError, (shown) => ({ 'x-echo': shown, 'retry-after': '1', 'x-request-id': shown })),
  'redirects to an address with it': tells(302, openAiError, (shown) => ({
    location: `https://example.com/?key=${encodeURIComponent(shown)}`,
  })),
  'answers 200 with an error': tells(200, openAiError),
  'answers 200 with nonsense': tells(200, (shown) => `<html>${shown}</html>`),
  'breaks its stream by an error': inStream([delta({ content: 'one ' })], (shown) => `data: ${JSON.stringify(openAiError(shown))}\n\n`),
  'begins its stream with an error': inStream([], (shown) => `data: ${JSON.stringify(openAiError(shown))}\n\n`),
  'breaks its stream by an event of another format': inStream(
    [delta({ content: 'one ' })],
    (shown) => `event: error\ndata: ${JSON.stringify(anthropicError(shown))}\n\n`,
  ),
  'breaks its stream by a comment and nonsense': inStream([delta({ content: 'one ' })], (shown) => `: ${shown}\n\ndata: {${shown}\n\n`),
  'ends its stream early': (call, response) => stream([delta({ content: 'one ' }), chunk({ choices: [] })], 'reset')(call, response),
};

test('nothing that leaves the product or is stored by it has a secret in it, in whatever form', async () => {
  // --- what there is
  const tenant = await make<{ id: string; admin_key: string }>(operatorKey, '/v1/platform/tenants', { name: 'canary' }, true);
  const admin = secret('the key of the tenant admin', tenant.admin_key);
  const projects = await ask('projects', `${adminUrl}/v1/organization/projects`, admin);
  const project = (JSON.parse(projects.text) as { data: { id: string }[] }).data[0]!.id;
  const made = await make<{ id: string; value: string }>(admin, `/v1/organization/projects/${project}/api_keys`, { name: 'k' }, true);
  const apiKey = secret('the API key', made.value);
  await make(admin, '/v1/organization/prices', { provider: 'up', model: '*', input: '1', output: '2' });
  const add = (name: string, type: string, keys: object) =>
    make<{ id: string }>(admin, '/v1/organization/providers', {
      name,
      type,
      base_url: upstream.baseUrl,
      models: ['m'],
      no_verify: true,
      ...keys,
    });
  const provider = await add('up', 'openai', { key: secrets['a key that was replaced'] });
  await make(admin, `/v1/organization/providers/${provider.id}`, { key: secrets['a key shown as a bearer token'] });
  await add('ant', 'anthropic', { key: secrets['a key shown in a header of its own'] });
  await add('many', 'openai', { keys: [secrets['a key of several'], secrets['another key of several']] });
  await add('parts', 'openai', {
    credential: {
      type: 'headers',
      headers: { authorization: `Bearer ${secrets['a part of a credential']}`, 'x-second-key': secrets['another part of a credential'] },
    },
    headers: { 'x-team': secrets["a header of the customer's own"] },
  });
  await make(admin, '/v1/organization/providers', {
    name: 'gone',
    type: 'openai',
    base_url: 'http://127.0.0.1:1/v1',
    models: ['m'],
    key: secrets['a key of several'],
    no_verify: true,
  });
  await make(admin, '/v1/organization/providers', {
    name: 'away',
    type: 'openai',
    base_url: 'https://93.184.215.14/v1',
    models: ['m'],
    key: secrets['a key of several'],
    no_verify: true,
  });
  const house = await make<{ id: string }>(operatorKey, '/v1/platform/credentials', {
    name: 'house',
    type: 'openai',
    base_url: upstream.baseUrl,
    models: ['m'],
    key: secrets['a platform key of an operator'],
    no_verify: true,
  });
  await make(operatorKey, `/v1/platform/credentials/${house.id}/grants`, { tenant: tenant.id });
  // Where the platform pays, a model without a price is refused.
  await make(operatorKey, '/v1/platform/prices', { provider: 'openai', model: '*', input: '1', output: '1' });
  const credentials = await ask('platform credentials', `${adminUrl}/v1/platform/credentials`, operatorKey);
  const platformCredential = (JSON.parse(credentials.text) as { data: { id: string }[] }).data[0]!.id;
  await make(operatorKey, `/v1/platform/credentials/${platformCredential}/grants`, { tenant: tenant.id });
  // A reply that is kept for its repetition is sealed.
  const repeated = { 'idempotency-key': 'canary-1' };
  const kept = await fetch(`${adminUrl}/v1/organization/projects/${project}/api_keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json', ...repeated },
    body: JSON.stringify({ name: 'kept' }),
  });
  secret('an API key of a reply that is kept', ((await kept.json()) as { value: string }).value);
  await eventually(async () => (await ask('models', `${publicUrl}/v1/models`, apiKey)).text.includes('gone/m'), 10_000);

  // --- calls
  const call = (where: string, path: string, model: string, streamed: boolean, key: string | null = apiKey, headers = {}) =>
    ask(`a call whose provider ${where}`, publicUrl + path, key, 'POST', { model, stream: streamed, ...BODIES[path] }, headers);
  for (const [where, script] of Object.entries(SCRIPTS)) {
    upstream.script = script;
    for (const path of Object.keys(BODIES))
      for (const model of ['up/m', 'ant/m', 'many/m', 'parts/m', 'house/m'])
        for (const streamed of [false, true]) await call(`${where} at ${path} ${model} ${streamed}`, path, model, streamed);
  }
  await call('cannot be reached', '/v1/chat/completions', 'gone/m', false);
  await call('is behind a proxy that is not there', '/v1/chat/completions', 'away/m', false);
  upstream.script = answer();
  for (const name of ['a client key that is not known', 'a client key of another vendor']) {
    const wrong = secrets[name]!;
    await call('is not asked', '/v1/chat/completions', 'up/m', false, wrong);
    await call('is not asked', '/v1/chat/completions', 'up/m', true, null, { 'x-api-key': wrong });
    await call('is not asked', '/v1/chat/completions', 'up/m', false, apiKey, { 'x-api-key': wrong });
    await ask('a key in the query', `${publicUrl}/v1/models?key=${wrong}`, null);
    await ask('a key in the path', `${publicUrl}/v1/models/${wrong}`, null);
    await ask('a wrong admin key', `${adminUrl}/v1/organization/providers`, wrong);
  }
  await ask('an API key at the admin API', `${adminUrl}/v1/organization/providers`, apiKey);
  await ask('an admin key at the public API', `${publicUrl}/v1/models`, admin);

  // --- bad input with a secret in it
  const invalid = secrets['a key that is no valid one']!;
  const providers = `${adminUrl}/v1/organization/providers`;
  for (const body of [
    { type: 'openai', name: 'bad', key: invalid },
    { type: 'openai', name: 'bad', keys: [invalid] },
    { type: 'openai', name: 'bad', key: secrets['another key of several'], keys: [secrets['a key of several']] },
    { type: 'openai', name: 'bad', key: { nested: secrets['a key of several'] } },
    { type: 'openai', name: 'bad', base_url: `https://user:${secrets['a key of several']}@example.com/v1` },
    { type: 'openai', name: 'up', key: secrets['a key of several'] },
    `{"type":"openai","key":"${secrets['a key of several']}"`,
    `${secrets['a key of several']}`,
  ])
    await ask('a provider that is refused', providers, admin, 'POST', body);
  for (const body of [
    { type: 'openai', name: 'house', key: secrets['a platform key of an operator'] },
    { type: 'openai', from_existing: true, key: secrets['a platform key of an operator'] },
    { type: 'openai', from_existing: true },
  ])
    await ask('a platform credential that is refused', `${adminUrl}/v1/platform/credentials`, operatorKey, 'POST', body);
  await ask('a key that is refused', `${providers}/${provider.id}/keys`, admin, 'POST', { key: invalid });
  await ask('a body that is no JSON', `${publicUrl}/v1/chat/completions`, apiKey, 'POST', `{"model": ${secrets['a key of several']}`);

  // --- all that can be read
  const ids: Record<string, string> = {
    tenant_id: tenant.id,
    credential_id: platformCredential,
    provider_id: provider.id,
    project_id: project,
    key_id: made.id,
  };
  const query: Record<string, string> = {
    '/v1/organization/usage/completions': '?start_time=1795000000',
    '/v1/organization/costs': '?start_time=1795000000',
  };
  for (const { method, path, audience } of ROUTES.filter((route) => route.method === 'GET')) {
    const url = adminUrl + path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? 'none') + (query[path] ?? '');
    const { status } = await ask(`${method} ${path}`, url, audience === 'operator' ? operatorKey : admin);
    // Of persons a key reads nothing, and a sign-in needs more than this.
    expect([path, audience === 'person' ? [403] : audience === 'anyone' ? [400, 401] : [200, 404]]).toEqual([
      path,
      expect.arrayContaining([status]),
    ]);
  }
  for (const path of ['/metrics', '/openapi.json', '/livez', '/readyz', '/nothing']) await ask(path, adminUrl + path, null);
  for (const path of ['/v1/key', '/v1/models', '/v1/models/up/m', '/v1/calls/none', '/nothing']) await ask(path, publicUrl + path, apiKey);

  // --- what a start says that fails
  const failures: Record<string, Record<string, string>> = {
    'a wrong master key': { WEIR_MASTER_KEY: canary('other-'), WEIR_MASTER_KEY_PREVIOUS: '' },
    'a database that is not there': { DATABASE_URL: environment['DATABASE_URL']!.replace(/\/[^/]*$/, '/nowhere') },
    'a port that is taken': { WEIR_ADMIN_PORT: new URL(adminUrl).port },
    'a proxy that is none': { WEIR_EGRESS_PROXY: `http://weir:${secrets['the password of the proxy']}@proxy` },
    'a variable that is not known': { WEIR_MASTER_KEYS: secrets['the master key']! },
  };
  for (const [why, change] of Object.entries(failures)) {
    const failed = WeirProcess.spawn({ ...environment, ...change });
    expect(await failed.exited()).toBe(1);
    note(`a start with ${why}`, failed.stdout + failed.stderr);
  }

  await weir.kill('SIGTERM');
  note('the log', weir.stderr);
  note('standard output', weir.stdout);
  expect(weir.stderr.length).toBeGreaterThan(10_000);

  // --- what is stored
  await noteDatabase();
  await noteDataKeys();
  if (redis) await noteRedis(redis);

  expect(emitted.length).toBeGreaterThan(700);
  expect(findSecrets(secrets, emitted)).toEqual([]);
  // The upstream was shown them, so they were in use.
  const shown = upstream.calls.map(shownTo).join();
  for (const name of [
    'a key shown as a bearer token',
    'a platform key of an operator',
    'a key shown in a header of its own',
    'a key of several',
    'another key of several',
    'a part of a credential',
    'another part of a credential',
    "a header of the customer's own",
  ])
    expect(shown).toContain(secrets[name]);
});

/** Every row of every table, as Postgres writes it: bytes are hex there. */
async function noteDatabase(): Promise<void> {
  const { rows: tables } = await db.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'`,
  );
  expect(tables.length).toBeGreaterThan(20);
  for (const { name } of tables) {
    const { rows } = await db.query<{ line: string }>(`SELECT t::text AS line FROM ${name} t`);
    note(`the table ${name}`, rows.map(({ line }) => line).join('\n'));
    for (const { line } of rows)
      for (const [, hex] of line.matchAll(/\\x((?:[0-9a-f]{2})+)/g))
        note(`bytes in the table ${name}`, Buffer.from(hex!, 'hex').toString('latin1'));
  }
}

/** All that Redis has, as it writes it to disk. */
async function noteRedis({ url }: TestRedis): Promise<void> {
  const client = new Redis(url);
  await client.config('SET', 'rdbcompression', 'no');
  await client.save();
  await client.quit();
  const saved = readFileSync(join(redisHome, 'dump.rdb'), 'latin1');
  expect(saved).toContain(':open-periods:');
  note('Redis', saved);
}

/** The data keys and the pepper are secrets too; only now does the test have them. */
async function noteDataKeys(): Promise<void> {
  const pool = createPool(environment['DATABASE_URL']!, { max: 1, statementTimeoutMs: 10_000, name: 'test' });
  const { rows } = await db.query<{ purpose: string }>('SELECT purpose FROM data_keys');
  const dataKeys = new DataKeys(pool, { current: secrets['the master key']!, previous: null });
  for (const { purpose } of rows) {
    const { key } = await dataKeys.existing(purpose);
    for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const) secrets[`${purpose} in ${encoding}`] = key.toString(encoding);
  }
  await pool.end();
}

test('the scan finds a secret in each form, so that finding none means something', () => {
  const planted = 'sk-a-secret-of-some-length/+0123456789';
  for (const [form, text] of formsOf(planted))
    expect(findSecrets({ planted }, [{ where: form, text: `before ${text} after` }])).not.toEqual([]);
  for (const shift of ['', 'a', 'ab'])
    expect(findSecrets({ planted }, [{ where: 'base64', text: Buffer.from(`${shift}${planted}x`).toString('base64') }])).not.toEqual([]);
  expect(findSecrets({ planted }, [{ where: 'elsewhere', text: 'sk-a' }])).toEqual([]);
});
