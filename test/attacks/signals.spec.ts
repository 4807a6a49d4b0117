import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { type Ready, ROOT, WeirProcess } from '../support/process.js';
import { eventually } from '../support/weir.js';

jest.setTimeout(120_000);

const homes: string[] = [];
const makeHome = (): string => {
  const home = mkdtempSync(join(tmpdir(), 'weir-home-'));
  homes.push(home);
  return home;
};

afterEach(async () => {
  await WeirProcess.endAll('SIGTERM');
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
});

const call = (ready: Ready, stream = false, model = 'mock/echo') =>
  fetch(`${ready.public}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ready.api_key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Hello' }] }),
  });

describe('a process with a database of its own', () => {
  test('is the only one of its directory, also of those that start at the same instant; a second is told who works there, and leaves it as it is', async () => {
    const environment = { WEIR_HOME: makeHome(), WEIR_DEMO: '1' };
    // Both at once, on an empty directory: one of them wins.
    const both = [WeirProcess.spawn(environment), WeirProcess.spawn(environment)];
    const ends = await Promise.all(both.map((weir) => weir.ready().catch(() => null)));
    const [winner, ready] = ends[0] ? [both[0]!, ends[0]] : [both[1]!, ends[1]!];
    const loser = both.find((weir) => weir !== winner)!;
    expect(ends.filter((end) => end !== null)).toHaveLength(1);
    const third = WeirProcess.spawn(environment);
    for (const late of [loser, third]) {
      expect(await late.exited()).toBe(1);
      expect(late.stderr.trim().split('\n')).toEqual([
        `weir: another Weir (process ${winner.child.pid}) works on ${environment.WEIR_HOME}; stop it first, or set WEIR_HOME to another directory`,
      ]);
    }
    expect((await call(ready)).status).toBe(200);

    // Killed outright it leaves its Postgres running, and the next one takes that over at once.
    await winner.kill('SIGKILL');
    const next = WeirProcess.spawn(environment);
    expect((await call(await next.ready())).status).toBe(200);
    expect(await next.kill('SIGTERM')).toBe(0);
  });
});

describe('with a Postgres elsewhere', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase();
  });

  afterAll(() => database.drop());

  const environment = () => ({
    DATABASE_URL: database.url,
    WEIR_HOME: makeHome(),
    WEIR_DEMO: '1',
    WEIR_MASTER_KEY: 'test master key, at least 32 characters',
  });

  test('two processes share a directory, and one may end without the other', async () => {
    const shared = environment();
    const [one, two] = [WeirProcess.spawn(shared), WeirProcess.spawn(shared)];
    const [, ready] = await Promise.all([one.ready(), two.ready()]);
    expect(await one.kill('SIGTERM')).toBe(0);
    expect((await call({ ...ready, api_key: ready.api_key })).status).toBe(200);
  });

  test('between "not ready" and the closed entry point calls are still served; a second signal ends the waiting', async () => {
    const weir = WeirProcess.spawn({ ...environment(), WEIR_DRAIN_DELAY_MS: '600000' });
    const ready = await weir.ready();
    const health = async (url: string) => {
      const reply = await fetch(`${url}/readyz`);
      return [reply.status, await reply.text()];
    };
    expect(await health(ready.public)).toEqual([200, 'ready']);
    weir.child.kill('SIGTERM');
    await eventually(async () => (await health(ready.public))[0] === 503, 10_000);
    expect(await health(ready.public)).toEqual([503, 'draining']);
    expect(await health(ready.admin)).toEqual([503, '{"status":"draining"}']);
    for (const stream of [false, true]) {
      const reply = await call(ready, stream);
      expect([reply.status, reply.headers.get('connection')]).toEqual([200, 'close']);
      await reply.text();
    }
    // One that comes at once is the same one: npm passes on what the terminal has sent already.
    const hurrying = setInterval(() => weir.child.kill('SIGTERM'), 200);
    expect(await weir.exited()).toBe(0);
    clearInterval(hurrying);
  });

  test('Ctrl-C, which reaches a process under npm twice, lets calls in flight end', async () => {
    const weir = WeirProcess.spawn({ ...environment(), WEIR_DRAIN_DELAY_MS: '0' });
    const ready = await weir.ready();
    const inFlight = call(ready, false, 'mock/latency-1500');
    await eventually(async () => /weir_calls_in_flight 1/.test(await (await fetch(`${ready.admin}/metrics`)).text()), 10_000);
    for (let times = 0; times < 2; times++) weir.child.kill('SIGINT');
    expect((await inFlight).status).toBe(200);
    expect(await weir.exited()).toBe(0);
  });

  test('signals that are meant to reload, and readers that leave, end nothing', async () => {
    const weir = WeirProcess.spawn({ ...environment(), WEIR_LOG_LEVEL: 'info' });
    const ready = await weir.ready();
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) weir.child.kill(signal);
    await eventually(async () => weir.stderr.split('the signal does nothing').length === 3, 10_000);
    await eventually(async () => weir.stderr.includes('the configuration was reloaded'), 10_000);
    expect(weir.stderr).not.toContain('Debugger listening');
    expect((await call(ready)).status).toBe(200);

    weir.child.stdout!.destroy();
    weir.child.stderr!.destroy();
    weir.child.kill('SIGHUP'); // it has something to write
    for (let calls = 0; calls < 3; calls++) expect((await call(ready)).status).toBe(200);
    expect(await weir.kill('SIGQUIT')).toBe(0);
  });

  test('a process whose readers are gone before it says that it is ready, as with `npm start | head`, serves calls', async () => {
    const port = String(await freePort());
    const env = { PATH: process.env['PATH']!, WEIR_PUBLIC_PORT: '0', WEIR_ADMIN_PORT: port, ...environment() };
    const child = spawn(process.execPath, [join(ROOT, 'dist', 'main.js')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    child.stderr.destroy();
    const isReady = () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        ({ status }) => status === 200,
        () => false,
      );
    await eventually(isReady, 60_000);
    expect(await isReady()).toBe(true);
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });
});
