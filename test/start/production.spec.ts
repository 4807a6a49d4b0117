import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, WeirProcess } from '../support/process.js';

/** What `npm start` makes of a fresh clone: it installs what running needs and no more, compiles without types, and serves. */

jest.setTimeout(300_000);

const MAX_MEGABYTES = 350;

let copy: string;
let home: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'weir-clone-'));
  home = mkdtempSync(join(tmpdir(), 'weir-home-'));
  const { stdout } = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: ROOT, encoding: 'utf8' });
  for (const file of stdout.split('\0').filter((name) => /^(package|tsconfig|\.npmrc|scripts\/|prisma\/|src\/)/.test(name)))
    if (existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(copy, file));
});

afterAll(async () => {
  await WeirProcess.endAll();
  for (const directory of [copy, home]) rmSync(directory, { recursive: true, force: true });
});

const megabytesOf = (directory: string): number =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => lstatSync(join(directory, name), { throwIfNoEntry: false }))
    .reduce((sum, file) => sum + (file?.isFile() ? file.size : 0), 0) / 1_000_000;

test('a fresh clone installs only what running needs, starts and answers a call', async () => {
  const prepared = spawnSync('node', ['scripts/prepare.mjs'], { cwd: copy, encoding: 'utf8' });
  expect(prepared.stderr.split('\n')).toEqual([
    expect.stringMatching(/^Installing \d+ packages \(once\)…$/),
    expect.stringMatching(/^Installed in \d+ s\.$/),
    'Building…',
    '',
  ]);
  const packages = join(copy, 'node_modules');
  expect(['jest', 'prisma', 'prisma-cli', '@swc'].filter((name) => existsSync(join(packages, name)))).toEqual([]);
  expect(megabytesOf(packages)).toBeLessThan(MAX_MEGABYTES);

  const injecting = WeirProcess.spawn({ WEIR_HOME: home, WEIR_CRASH: 'after_auth' }, ['--json'], copy, 'pipe', copy);
  expect(await injecting.exited()).toBe(1);
  expect(injecting.stderr).toContain('WEIR_CRASH must not be set: this build has no fault injection');
  const dist = readdirSync(join(copy, 'dist'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
  expect(dist.filter((name) => /crashPoint|armCrash/.test(readFileSync(join(copy, 'dist', name), 'utf8')))).toEqual([]);

  const weir = WeirProcess.spawn({ WEIR_HOME: home }, ['--json'], copy, 'pipe', copy);
  const ready = await weir.ready();
  const answer = await fetch(`${ready.public}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ready.api_key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] }),
  });
  expect([answer.status, await answer.json()]).toMatchObject([200, { choices: [{ message: { content: 'You said: Hello' } }] }]);
  for (const address of [ready.public, ready.admin]) expect((await fetch(`${address}/openapi.json`)).status).toBe(200);
  expect(await weir.kill('SIGTERM')).toBe(0);
});
