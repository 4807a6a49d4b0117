import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import type { Audit } from '../../src/ledger/index.js';
import { startEmbeddedPostgres } from '../../src/platform/postgres/index.js';
import { runOnce } from '../support/database.js';
import { WeirProcess } from '../support/process.js';

const PROGRAM = join(__dirname, '../../dist/audit.js');
let directory: string;
let home: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-audit-'));
  chmodSync(directory, 0o755);
  home = join(directory, '.weir');
});

afterEach(async () => {
  await WeirProcess.endAll();
  rmSync(directory, { recursive: true, force: true });
});

/** What `npm run audit` runs. */
const audit = (...flags: string[]) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    const env = { PATH: process.env['PATH']!, WEIR_HOME: home };
    execFile(process.execPath, [PROGRAM, ...flags], { env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });

const databaseRuns = (): boolean => {
  const location = join(home, 'postgres.location');
  return existsSync(join(existsSync(location) ? readFileSync(location, 'utf8').trim() : join(home, 'postgres'), 'postmaster.pid'));
};

test('an installation is audited while it runs and when it does not, and is left as it was', async () => {
  const weir = WeirProcess.spawn({ WEIR_HOME: home });
  const ready = await weir.ready();
  const openai = new OpenAI({ apiKey: ready.api_key!, baseURL: `${ready.public}/v1`, maxRetries: 0 });
  await openai.chat.completions.create({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] });

  const running = await audit('--json');
  expect(running).toMatchObject({ code: 0, stderr: '' });
  const { depth, checks, breaches } = JSON.parse(running.stdout) as Audit;
  expect({ depth, breaches }).toEqual({ depth: 'full', breaches: [] });
  expect(checks.map(({ invariant }) => invariant)).toEqual(['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8']);
  expect(checks.find(({ invariant }) => invariant === 'I4')).toMatchObject({ checked: 1, broken: 0 });
  await openai.models.list();

  await weir.kill('SIGINT');
  expect(await audit()).toMatchObject({ code: 0, stdout: expect.stringContaining('Every invariant holds (full audit of 20') });
  expect(databaseRuns()).toBe(false);

  const postgres = await startEmbeddedPostgres({ dataDir: join(home, 'postgres') });
  await runOnce(postgres.url, 'UPDATE budget_periods SET spent = spent + 1');
  const broken = await audit();
  expect(broken.code).toBe(1);
  expect(broken.stdout).toMatch(/^I1 .* 1 +1 +\d+ ms$/m);
  expect(broken.stdout).toContain('1 breach (full audit');
  expect(databaseRuns()).toBe(true);
  await postgres.stop();
});

test('where there is no installation, that is said in one line, and none is made', async () => {
  expect(await audit()).toEqual({
    code: 1,
    stdout: '',
    stderr: `weir: there is no database under ${home}; set DATABASE_URL or WEIR_HOME to yours\n`,
  });
  expect(existsSync(home)).toBe(false);
});
