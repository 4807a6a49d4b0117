import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import OpenAI from 'openai';
import { createEmptyDatabase } from '../support/database.js';
import { NODE_FLAGS, ROOT, WeirProcess } from '../support/process.js';

let home: string;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-start-'));
  chmodSync(directory, 0o755);
  home = join(directory, '.weir');
});

afterEach(async () => {
  await WeirProcess.endAll();
  rmSync(directory, { recursive: true, force: true });
});

const dataDirectory = (): string => {
  const location = join(home, 'postgres.location');
  return existsSync(location) ? readFileSync(location, 'utf8').trim() : join(home, 'postgres');
};
const postmaster = (): number => Number(readFileSync(join(dataDirectory(), 'postmaster.pid'), 'utf8').split('\n')[0]);
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z');
  } catch {
    return false;
  }
};
const sayHello = (ready: { public: string; api_key: string | null }) =>
  new OpenAI({ apiKey: ready.api_key!, baseURL: `${ready.public}/v1`, maxRetries: 0 }).chat.completions.create({
    model: 'mock/echo',
    messages: [{ role: 'user', content: 'Hello' }],
  });

test('a first start with nothing running serves a call; Ctrl-C leaves nothing running; the second start keeps keys and money', async () => {
  const first = WeirProcess.spawn({ WEIR_HOME: home });
  const ready = await first.ready();
  expect(ready).toEqual({
    event: 'ready',
    public: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    admin: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    operator_key: expect.stringMatching(/^weir_op_/),
    tenant: expect.stringMatching(/^ten_/),
    tenant_admin_key: expect.stringMatching(/^weir_adm_/),
    project: expect.stringMatching(/^proj_/),
    api_key: expect.stringMatching(/^weir_sk_/),
  });
  expect((await sayHello(ready)).choices[0]!.message.content).toBe('You said: Hello');
  const pid = postmaster();
  expect(await first.kill('SIGINT')).toBe(0);
  expect(isAlive(pid)).toBe(false);
  expect(statSync(join(home, 'demo.json')).mode & 0o777).toBe(0o600);
  expect(statSync(join(home, 'master.key')).mode & 0o777).toBe(0o600);

  const made = [join(dataDirectory(), 'PG_VERSION'), join(home, 'demo.json'), join(home, 'master.key')];
  const madeAt = () => made.map((path) => statSync(path).mtimeMs);
  const before = madeAt();
  const second = WeirProcess.spawn({ WEIR_HOME: home });
  const again = await second.ready();
  expect(madeAt()).toEqual(before);
  expect({ ...again, public: '', admin: '' }).toEqual({ ...ready, public: '', admin: '' });
  const key = await fetch(`${again.public}/v1/key`, { headers: { authorization: `Bearer ${again.api_key}` } });
  expect(await key.json()).toMatchObject({ budgets: [{ spent: expect.not.stringMatching(/^0\.00$/) }] });
  await second.kill('SIGTERM');
});

test('after a kill -9 the next start takes over the Postgres that was left, and ends it too', async () => {
  const first = WeirProcess.spawn({ WEIR_HOME: home });
  await first.ready();
  const pid = postmaster();
  await first.kill('SIGKILL');
  expect(isAlive(pid)).toBe(true);
  const second = WeirProcess.spawn({ WEIR_HOME: home });
  await sayHello(await second.ready());
  await second.kill('SIGINT');
  expect(isAlive(postmasterOr(pid))).toBe(false);
});

const postmasterOr = (pid: number): number => {
  try {
    return postmaster();
  } catch {
    return pid;
  }
};

test('what a person sees: the addresses, the keys and a curl that works when pasted', async () => {
  const weir = WeirProcess.spawn({ WEIR_HOME: home }, []);
  while (!weir.stdout.includes(`"Hello, Weir!"}]}'`)) await once(weir.child.stdout!, 'data');
  const curl = weir.stdout.slice(weir.stdout.indexOf('curl '));
  const reply = execFileSync('sh', ['-c', curl], { encoding: 'utf8' });
  expect(reply).toContain('You');
  expect(reply.trimEnd().endsWith('data: [DONE]')).toBe(true);
  // What goes to a file or a log must sign nobody in.
  expect(weir.stdout).not.toContain('#token=');
  await weir.kill('SIGINT');
});

test('a terminal is shown a link that makes whoever opens it the first operator, once', async () => {
  const command = `stty cols 200; exec ${process.execPath} ${[...NODE_FLAGS, join(ROOT, 'dist', 'main.js')].join(' ')}`;
  const env = {
    PATH: process.env['PATH']!,
    HOME: directory,
    WEIR_HOME: home,
    WEIR_PUBLIC_PORT: '0',
    WEIR_ADMIN_PORT: '0',
    SHELL: '/bin/sh',
  };
  const terminal = spawn('script', ['-qfec', command, '/dev/null'], { cwd: directory, env, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(terminal, 'exit');
  let shown = '';
  terminal.stdout.on('data', (data: Buffer) => {
    shown += data;
  });
  while (!shown.includes('Try it:') && terminal.exitCode === null) await Promise.race([once(terminal.stdout, 'data'), ended]);
  const url = new URL(/http\S+\/sign-in#token=[\w-]+/.exec(shown)![0]);
  expect((await fetch(url)).headers.get('content-security-policy')).toContain("default-src 'none'");
  const redeem = () =>
    fetch(new URL('/v1/auth/links/redeem', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url.origin },
      body: JSON.stringify({ token: url.hash.slice('#token='.length) }),
    });
  const replies = await Promise.all(Array.from({ length: 8 }, redeem));
  expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(401)]);
  const cookie = replies
    .find(({ ok }) => ok)!
    .headers.getSetCookie()[0]!
    .split(';')[0]!;
  const tenants = await fetch(new URL('/v1/platform/tenants', url), { headers: { cookie } });
  expect(tenants.status).toBe(200);
  terminal.stdin.write('\x03');
  await ended;
});

test('provider keys of the environment and of .env.local become platform credentials, which the demo tenant may use; the shell wins', async () => {
  writeFileSync(join(directory, '.env'), 'GROQ_API_KEY=gsk-from-env-file\nWEIR_PUBLIC_PORT=1\n');
  writeFileSync(join(directory, '.env.local'), 'MISTRAL_API_KEY=mistral-from-local\n');
  const weir = WeirProcess.spawn({ WEIR_HOME: home, OPENAI_API_KEY: 'sk-from-shell' }, ['--json'], directory);
  const ready = await weir.ready();
  const models = await new OpenAI({ apiKey: ready.api_key!, baseURL: `${ready.public}/v1` }).models.list();
  const providers = new Set(models.data.map((model) => model.owned_by));
  expect([...providers].sort()).toEqual(['groq', 'mistral', 'mock', 'openai']);
  await weir.kill('SIGINT');
  expect(weir.stdout + weir.stderr).not.toMatch(/from-(shell|env-file|local)/);
});

test('`migrate` brings an empty database up to date, says so, and starts nothing; it needs a database elsewhere', async () => {
  const database = await createEmptyDatabase();
  const run = async (environment: Record<string, string>, flags = ['migrate']) => {
    const weir = WeirProcess.spawn({ WEIR_HOME: home, ...environment }, flags);
    const code = await weir.exited();
    return [code, weir.stdout, weir.stderr];
  };
  expect(await run({ DATABASE_URL: database.url })).toEqual([
    0,
    expect.stringMatching(/^Applied \d+ migrations, the last 2\d+_\w+\.\n$/),
    '',
  ]);
  expect(await run({ DATABASE_URL: database.url })).toEqual([0, 'The database is up to date.\n', '']);
  expect(await run({})).toEqual([1, '', expect.stringMatching(/^weir: migrate needs DATABASE_URL/)]);
  expect(await run({}, ['migrat'])).toEqual([1, '', "weir: Unknown command 'migrat'; see --help\n"]);
  expect(await run({}, ['migrate', 'migrate'])).toEqual([1, '', "weir: Unknown command 'migrate'; see --help\n"]);
  expect(existsSync(home)).toBe(false);
  await database.drop();
});

describe('what cannot work is one clear line and exit 1', () => {
  const failure = async (environment: Record<string, string>, flags = ['--json']) => {
    const weir = WeirProcess.spawn({ WEIR_HOME: home, ...environment }, flags);
    expect(await weir.exited()).toBe(1);
    expect(weir.stdout).toBe('');
    return weir.stderr.trimEnd().split('\n');
  };

  test('a port that is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    expect(await failure({ WEIR_PUBLIC_PORT: String(port) })).toEqual([
      `weir: port ${port} is taken on 127.0.0.1; set WEIR_PUBLIC_PORT to a free one, or 0 for any`,
    ]);
    expect(await failure({ WEIR_ADMIN_PORT: String(port) })).toEqual([
      `weir: port ${port} is taken on 127.0.0.1; set WEIR_ADMIN_PORT to a free one, or 0 for any`,
    ]);
    blocker.close();
  });

  test('bad variables, all of them at once', async () => {
    const lines = await failure({ WEIR_PUBLIC_PORT: 'eighty', WEIR_ROLES: 'gateway,cook', WEIR_PORT: '1', DATABASE_URL: 'mysql://x' });
    expect(lines).toHaveLength(4);
    expect(lines.join('\n')).toMatch(/WEIR_PORT is not a variable/);
    expect(lines.join('\n')).toMatch(/WEIR_PUBLIC_PORT must be a port number/);
  });

  test('a database that cannot be reached, without its password; a signal ends the waiting for it', async () => {
    const weir = WeirProcess.spawn({ WEIR_HOME: home, DATABASE_URL: 'postgresql://weir:hunter2secret@127.0.0.1:9/weir' });
    while (!weir.stderr.includes('the start waits for it')) await once(weir.child.stderr!, 'data');
    expect(await weir.kill('SIGINT')).toBe(1);
    // What it wrote may arrive after the news of its end.
    const { stderr } = weir.child;
    if (!stderr!.closed) await once(stderr!, 'close');
    // A line of the log may come after it.
    expect(weir.stderr.split('\n')).toContainEqual(expect.stringMatching(/^weir: Postgres does not answer.*DATABASE_URL/));
    expect(weir.stderr + weir.stdout).not.toContain('hunter2secret');
  });

  test('a proxy that is not written as one, without its password', async () => {
    const lines = await failure({ WEIR_EGRESS_PROXY: 'http://weir:hunter2secret@proxy.example' });
    expect(lines).toEqual([expect.stringMatching(/WEIR_EGRESS_PROXY must be http:\/\/host:port or http:\/\/user:password@host:port/)]);
    expect(lines[0]).not.toContain('hunter2secret');
  });

  test('options of `npm start` and `npm run audit` are Weir’s own, though Node has some of the same names', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const run = (script: string, ...flags: string[]) => {
      const command = scripts[script]!.slice(scripts[script]!.indexOf('exec env '));
      const node = dirname(process.execPath);
      const env = { PATH: `${node}:${process.env['PATH']}`, WEIR_HOME: home };
      const { status, stdout, stderr } = spawnSync('sh', ['-c', `${command} "$@"`, 'sh', ...flags], { cwd: ROOT, env, encoding: 'utf8' });
      return [status, stdout, stderr];
    };
    const nope = join(ROOT, 'nope');
    expect(run('start', '--env-file', 'nope')).toEqual([1, '', `weir: --env-file: there is no file ${nope}\n`]);
    expect(run('start', '--env-file=nope')).toEqual([1, '', `weir: --env-file: there is no file ${nope}\n`]);
    expect(run('audit', '--env-file', 'nope')).toEqual([1, '', `weir: --env-file: there is no file ${nope}\n`]);
    expect(run('start', '--version')).toEqual([0, expect.stringMatching(/^weir \d/), '']);
    expect(run('start', '--help')).toEqual([0, expect.stringContaining('--env-file FILE'), '']);
    expect(run('audit', '--help')).toEqual([0, expect.stringContaining('npm run audit'), '']);
    for (const flag of ['--inspect', '--require=x', '--nonsense'])
      for (const script of ['start', 'audit'])
        expect(run(script, flag)).toEqual([1, '', `weir: Unknown option '${flag.split('=')[0]}'; see --help\n`]);
  });

  test('a short master key, a missing certificate, an unknown flag', async () => {
    expect(await failure({ WEIR_MASTER_KEY: 'short' })).toEqual([expect.stringContaining('WEIR_MASTER_KEY must be at least 32')]);
    expect(await failure({ WEIR_TLS_CERT: '/nowhere.pem', WEIR_TLS_KEY: '/nowhere.key' })).toEqual([
      expect.stringContaining('WEIR_TLS_CERT'),
      expect.stringContaining('WEIR_TLS_KEY'),
    ]);
    expect(await failure({}, ['--nonsense'])).toEqual([expect.stringContaining('--nonsense')]);
  });
});
