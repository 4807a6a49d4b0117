import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { type Ready, ROOT } from '../support/process.js';

/** Nobody of this id is known to this machine. Without the right to become somebody else, the test's own user takes the part. */
const UID = process.getuid!() === 0 ? 54_321 : process.getuid!();

let directory: string;
let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-unprivileged-'));
  chmodSync(directory, 0o755);
  mkdirSync(join(directory, 'work'));
  writeFileSync(join(directory, 'work', '.env'), 'WEIR_LOG_LEVEL=warn\n');
  chmodSync(join(directory, 'work'), 0o555);
});
afterEach(() => {
  chmodSync(join(directory, 'work'), 0o755);
  rmSync(directory, { recursive: true, force: true });
});

/** In a working directory that cannot be written, with no home directory. */
function start(environment: Record<string, string>) {
  const env = { WEIR_PUBLIC_PORT: '0', WEIR_ADMIN_PORT: '0', DATABASE_URL: database.url, WEIR_DEMO: '1', ...environment };
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'main.js'), '--json'], {
    cwd: join(directory, 'work'),
    env,
    uid: UID,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = async () => {
    const [code] = await once(child, 'close');
    return [code, stderr];
  };
  return { child, ended };
}

test('a user id that the machine does not know, without a home and with a working directory that cannot be written, serves calls', async () => {
  const home = join(directory, 'volume');
  mkdirSync(home);
  chmodSync(home, 0o777);
  const { child, ended } = start({ WEIR_HOME: home });
  const end = ended();
  const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const { public: url, api_key: key } = JSON.parse(value ?? '{}') as Ready;
  const reply = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] }),
  });
  expect(reply.status).toBe(200);
  expect(readdirSync(join(directory, 'work'))).toEqual(['.env']);
  child.kill('SIGTERM');
  expect(await end).toEqual([0, '']);
});

test("a checkout that is ready is prepared without a write, for the audit by Weir's own user", async () => {
  const child = spawn(process.execPath, [join(ROOT, 'scripts/prepare.mjs')], { uid: UID, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [code] = await once(child, 'close');
  expect([code, stderr]).toEqual([0, '']);
});

describe('a home that cannot be used is one line that names WEIR_HOME', () => {
  test.each([
    ['the default, in a working directory that cannot be written', () => ({}), /may not write there/],
    ['a directory of somebody else', () => ({ WEIR_HOME: ownedByOther() }), /may not write there/],
    ['a file', () => ({ WEIR_HOME: '/etc/passwd' }), /is no directory/],
    ['below a file', () => ({ WEIR_HOME: '/etc/passwd/weir' }), /is no directory/],
    ['where nothing can be made', () => ({ WEIR_HOME: '/proc/weir' }), /(cannot be made|may not write there)/],
  ])('%s', async (_name, environment, why) => {
    const { ended } = start(environment());
    const [code, stderr] = await ended();
    expect([code, String(stderr).trimEnd().split('\n')]).toEqual([
      1,
      [expect.stringMatching(/^weir: WEIR_HOME cannot be \/.*; set it to a directory that this user may write to$/)],
    ]);
    expect(stderr).toMatch(why);
    expect(stderr).toContain(`user id ${UID}`);
  });

  const ownedByOther = () => {
    const path = join(directory, 'theirs');
    mkdirSync(path);
    chmodSync(path, 0o555);
    return path;
  };
});
