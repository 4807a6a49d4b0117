import { createHash, randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Redis } from 'ioredis';
import { selfSigned } from '../support/certificate.js';
import { createDatabase, runOnce, type TestDatabase } from '../support/database.js';
import { type Ready, WeirProcess } from '../support/process.js';
import { startRedis, type TestRedis, testsWithRedis } from '../support/redis.js';
import { answer, chunk, delta, hang, ScriptedUpstream, USAGE } from '../support/upstream.js';
import { admin, eventually } from '../support/weir.js';

jest.setTimeout(120_000);

let directory: string;
let database: TestDatabase;
let upstream: ScriptedUpstream;
/** A Redis that a test started. */
let open: TestRedis | null = null;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-reload-'));
  database = await createDatabase();
  upstream = await ScriptedUpstream.start();
});

afterEach(async () => {
  await WeirProcess.endAll('SIGTERM');
  await open?.stop();
  open = null;
  await upstream.stop();
  await database.drop();
  rmSync(directory, { recursive: true, force: true });
});

const write = (name: string, text: string | Buffer): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};

/** @param file what is in the file of variables, which the process rereads. */
async function start(file: Record<string, string>): Promise<{ weir: WeirProcess; ready: Ready }> {
  writeVariables(file);
  const environment = {
    ...(!file['DATABASE_URL_FILE'] && { DATABASE_URL: database.url }),
    WEIR_HOME: join(directory, 'home'),
    WEIR_DEMO: '1',
    WEIR_MASTER_KEY: 'test master key, at least 32 characters',
  };
  const weir = WeirProcess.spawn(environment, ['--json', '--env-file', join(directory, 'weir.env')]);
  return { weir, ready: await weir.ready() };
}

const writeVariables = (file: Record<string, string>) =>
  write(
    'weir.env',
    Object.entries(file)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );

/** Sends SIGHUP and waits for the line that it brings. */
async function reload(weir: WeirProcess, line: string): Promise<void> {
  const count = () => weir.stderr.split(line).length;
  const before = count();
  weir.child.kill('SIGHUP');
  await eventually(async () => count() > before, 20_000);
}

const linesOf = ({ stderr }: WeirProcess) =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { level: string; msg: string; faults?: string[]; variables?: string[] })
    .filter(({ msg }) => msg !== 'call');

/** Adds the upstream to the demo tenant as `up`, and waits until it may be called. */
async function addUpstream({ admin: adminUrl, tenant_admin_key: key }: Ready): Promise<void> {
  const post = (path: string, body: object) => admin({ adminUrl }, key!, 'POST', `/v1/organization/${path}`, body);
  await post('prices', { provider: 'up', model: '*', input: '1', output: '2' });
  await post('providers', { name: 'up', type: 'openai', base_url: upstream.baseUrl, key: 'sk-up', models: ['test-model'] });
}

const BODY = { model: 'up/test-model', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };

/** Over HTTPS, whatever the certificate is. */
async function callOver(url: string, key: string, body: object): Promise<IncomingMessage> {
  const sent = request(`${url}/v1/chat/completions`, {
    method: 'POST',
    agent: false,
    rejectUnauthorized: false,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  });
  sent.end(JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

const call = ({ public: url, api_key: key }: Ready) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(BODY),
  });

const codeOf = async (reply: Response) => [reply.status, ((await reply.json()) as { error?: { code: string } }).error?.code];

/** What a new connection is shown. */
async function shownBy(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return createHash('sha256').update(raw).digest('hex');
}

function certificate(name: string): { cert: Buffer; key: Buffer; print: string } {
  mkdirSync(join(directory, name));
  const files = selfSigned(join(directory, name), 'localhost', 'IP:127.0.0.1');
  const cert = readFileSync(files.cert);
  return { cert, key: readFileSync(files.key), print: createHash('sha256').update(new X509Certificate(cert).raw).digest('hex') };
}

test('SIGHUP shows new connections a new certificate while a stream in flight goes on; a bad one is one line, and the good one stays', async () => {
  const [first, second, third] = [certificate('first'), certificate('second'), certificate('third')];
  const install = (cert: Buffer | string, key: Buffer | string) => ({
    WEIR_TLS_CERT: write('cert.pem', cert),
    WEIR_TLS_KEY: write('key.pem', key),
  });
  const variables = { ...install(first.cert, first.key), WEIR_EGRESS_ALLOW: upstream.hostPort, WEIR_LOG_LEVEL: 'info' };
  const { weir, ready } = await start(variables);
  await addUpstream(ready);
  expect(await shownBy(ready.public)).toBe(first.print);
  let goOn = () => {};
  upstream.script = async (_call, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ role: 'assistant', content: 'before ' }));
    await new Promise<void>((resolve) => (goOn = resolve));
    response.end(`${delta({ content: 'after' })}${delta({}, 'stop')}${chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`);
  };
  let reply: IncomingMessage | undefined;
  await eventually(async () => {
    reply = await callOver(ready.public, ready.api_key!, { ...BODY, stream: true });
    return reply.statusCode === 200;
  });
  let text = '';
  reply!.on('data', (piece) => (text += piece));
  await eventually(async () => text.includes('before'));

  install(second.cert, second.key);
  await reload(weir, 'the configuration was reloaded');
  expect(await shownBy(ready.public)).toBe(second.print);
  goOn();
  await once(reply!, 'end');
  expect(text).toMatch(/after[\s\S]*data: \[DONE\]\n\n$/);

  const bad: [cert: Buffer | string, key: Buffer | string, fault: RegExp][] = [
    ['nonsense', second.key, /^WEIR_TLS_CERT is no certificate/],
    [third.cert, second.key, /^WEIR_TLS_KEY is not the key/],
    [third.cert, '', /^WEIR_TLS_KEY is no private key/],
  ];
  for (const [cert, key, fault] of bad) {
    install(cert, key);
    // What is good beside it is not taken either.
    writeVariables({ ...variables, WEIR_LOG_LEVEL: 'silent' });
    const before = linesOf(weir).length;
    await reload(weir, 'the configuration was not reloaded');
    expect(linesOf(weir).slice(before)).toEqual([expect.objectContaining({ level: 'error', faults: [expect.stringMatching(fault)] })]);
    expect(await shownBy(ready.public)).toBe(second.print);
  }
  install(third.cert, third.key);
  writeVariables(variables);
  await reload(weir, 'the configuration was reloaded');
  expect(await shownBy(ready.public)).toBe(third.print);
});

test('SIGHUP takes destinations, time-outs and the log level; what cannot change is named, and no value is', async () => {
  const variables = { WEIR_EGRESS_ALLOW: upstream.hostPort, WEIR_LOG_LEVEL: 'info' };
  const { weir, ready } = await start(variables);
  await addUpstream(ready);
  upstream.script = answer();
  await eventually(async () => (await call(ready)).status === 200);

  writeVariables({ ...variables, WEIR_EGRESS_ALLOW: 'elsewhere:443' });
  await reload(weir, 'the configuration was reloaded');
  expect(await codeOf(await call(ready))).toEqual([502, 'destination_refused']);

  upstream.script = hang;
  writeVariables({ ...variables, WEIR_FIRST_BYTE_TIMEOUT_MS: '300' });
  await reload(weir, 'the configuration was reloaded');
  expect(await codeOf(await call(ready))).toEqual([504, 'upstream_timeout']);

  upstream.script = answer();
  writeVariables({
    ...variables,
    WEIR_LOG_LEVEL: 'warn',
    WEIR_PUBLIC_PORT: '7777',
    WEIR_MASTER_KEY: 'another master key of 32 characters',
  });
  await reload(weir, 'restart to apply them');
  expect(linesOf(weir).at(-1)!.variables!.sort()).toEqual(['WEIR_MASTER_KEY', 'WEIR_PUBLIC_PORT']);
  const before = linesOf(weir).length;
  const calls = () => weir.stderr.split('"msg":"call"').length;
  const callsBefore = calls();
  expect((await call(ready)).status).toBe(200);
  writeVariables({ ...variables, WEIR_MAX_CONNECTIONS: 'many', WEIR_EGRESS_ALLOW: 'x' });
  await reload(weir, 'the configuration was not reloaded');
  expect(calls()).toBe(callsBefore); // the line of the call would stand before
  const [line, ...more] = linesOf(weir).slice(before);
  expect(line!.faults!.map((fault) => fault.split(' ')[0]).sort()).toEqual(['WEIR_EGRESS_ALLOW', 'WEIR_MAX_CONNECTIONS']);
  expect(more).toEqual([]);
  expect(weir.stderr).not.toMatch(/7777|another master key/);
});

testsWithRedis().test('SIGHUP takes a new password of Redis from its file', async () => {
  const redis = await startRedis({ settings: ['--requirepass', 'old'] });
  open = redis;
  const { weir, ready } = await start({ REDIS_URL: redis.url, REDIS_PASSWORD_FILE: write('password', 'old\n') });
  const status = async () => (await fetch(`${ready.admin}/readyz`)).status;
  await eventually(async () => (await status()) === 200, 20_000);
  const client = new Redis(redis.url, { password: 'old' });
  await client.config('SET', 'requirepass', 'new');
  await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  client.disconnect();
  await eventually(async () => (await status()) === 503, 20_000);
  write('password', 'new\n');
  weir.child.kill('SIGHUP');
  await eventually(async () => (await status()) === 200, 20_000);
});

test('SIGHUP takes a new password of Postgres from its file, and says that another database needs a restart', async () => {
  const role = `rotated_${randomUUID().replaceAll('-', '')}`;
  const urlWith = (password: string) => {
    const url = new URL(database.url);
    [url.username, url.password] = [role, password];
    return url.href;
  };
  await runOnce(database.url, `CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD 'old'`);
  const cut = () => runOnce(database.url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);
  try {
    const { weir, ready } = await start({ DATABASE_URL_FILE: write('url', urlWith('old')), WEIR_EGRESS_ALLOW: upstream.hostPort });
    await addUpstream(ready);
    upstream.script = answer('Hi');
    await eventually(async () => (await call(ready)).status === 200);

    await runOnce(database.url, `ALTER ROLE ${role} PASSWORD 'new'`);
    await cut();
    await eventually(async () => (await call(ready)).status === 503, 20_000);
    write('url', urlWith('new'));
    weir.child.kill('SIGHUP');
    await eventually(async () => (await call(ready)).status === 200, 20_000);
    await eventually(async () => (await fetch(`${ready.admin}/readyz`)).status === 200, 20_000);

    write('url', urlWith('new').replace(database.url.split('/').at(-1)!, 'elsewhere'));
    await reload(weir, 'restart to apply them');
    expect(linesOf(weir).at(-1)).toMatchObject({ level: 'warn', variables: ['DATABASE_URL'] });
    await cut();
    await eventually(async () => (await call(ready)).status === 200, 20_000);
    await weir.kill('SIGTERM');
  } finally {
    await database.drop();
    const server = new URL(database.url);
    server.pathname = '/postgres';
    await runOnce(server.href, `DROP ROLE IF EXISTS ${role}`);
  }
});
