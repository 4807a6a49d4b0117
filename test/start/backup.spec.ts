import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { openPool } from '../support/database.js';
import { testsWith } from '../support/needs.js';
import { type Ready, ROOT, WeirProcess } from '../support/process.js';
import { findPostgres, PostgresServer } from '../support/server-postgres.js';

jest.setTimeout(90_000);

const MASTER_KEY = 'a master key of the backup spec, long enough';
const postgres = findPostgres();
const { test: tested } = testsWith('a Postgres server with pg_dump', postgres !== null);

let directory: string;
const servers: PostgresServer[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-backup-'));
  chmodSync(directory, 0o755);
});

afterEach(() => WeirProcess.endAll());

afterAll(async () => {
  for (const server of servers) await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function startServer(): Promise<PostgresServer> {
  const server = await PostgresServer.start(postgres!);
  servers.push(server);
  return server;
}

/** As on managed Postgres: who owns the database is no superuser. */
async function createOwner(server: PostgresServer, role: string, database: string): Promise<string> {
  await server.run(`CREATE ROLE ${role} LOGIN CREATEROLE`);
  await server.run(`CREATE DATABASE ${database} OWNER ${role}`);
  return server.url(database, role);
}

const start = async (url: string, home: string) => {
  const weir = WeirProcess.spawn({ DATABASE_URL: url, WEIR_HOME: join(directory, home), WEIR_MASTER_KEY: MASTER_KEY, WEIR_DEMO: '1' });
  return { weir, ready: await weir.ready() };
};

const call = (ready: Ready, apiKey = ready.api_key!) =>
  new OpenAI({ apiKey, baseURL: `${ready.public}/v1`, maxRetries: 0 }).chat.completions.create({
    model: 'mock/echo',
    messages: [{ role: 'user', content: 'Hello' }],
  });

const audit = (url: string) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    const env = { PATH: process.env['PATH']!, DATABASE_URL: url, WEIR_HOME: directory };
    execFile(process.execPath, [join(__dirname, '../../dist/audit.js')], { env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });

const unprepared = (said: string) =>
  expect.stringMatching(
    new RegExp(
      `^weir: the database is not ready for the run-time role, as after a restore: ${said}; start Weir on it once,.* then audit again\n$`,
    ),
  );

/** The commands of the manual, as they are pasted. */
const [prepare, dump, restore] = [...readFileSync(join(ROOT, 'docs/operations/postgres.md'), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].map(
  ([, commands]) => commands!,
);

function paste(server: PostgresServer, commands: string, environment: Record<string, string>): void {
  const PATH = `${server.binaries.directory}:${process.env['PATH']}`;
  execFileSync('sh', ['-e', '-c', commands], { cwd: directory, env: { ...server.binaries.env, ...environment, PATH }, stdio: 'pipe' });
}

tested("the manual's commands: an owner without rights, a backup without flags, a restore in an empty cluster", async () => {
  const before = await startServer();
  paste(before, prepare!, { ADMIN_URL: before.url() });
  const url = before.url('weir', 'weir');
  const first = await start(url, 'first');
  await call(first.ready);
  paste(before, dump!, { DATABASE_URL: url });
  await first.weir.kill('SIGINT');

  const after = await startServer();
  const restored = after.url('weir', 'weir');
  paste(after, restore!, { NEW_ADMIN_URL: after.url(), NEW_DATABASE_URL: restored });
  expect(await audit(restored)).toMatchObject({ code: 1, stderr: unprepared('role "weir_run_weir" does not exist') });
  await after.run('CREATE ROLE weir_run_weir');
  await after.run('GRANT weir_run_weir TO weir');
  expect(await audit(restored)).toMatchObject({ code: 1, stderr: unprepared('permission denied for table \\w+') });
  const second = await start(restored, 'first');
  await call(second.ready, first.ready.api_key!);
  await second.weir.kill('SIGINT');
  expect(await audit(restored)).toMatchObject({ code: 0, stdout: expect.stringContaining('Every invariant holds') });
  const db = openPool(restored);
  expect((await db.query('SELECT count(*)::int AS calls FROM calls')).rows).toEqual([{ calls: 2 }]);
  const open = await db.query(`SELECT proname FROM pg_proc WHERE prosecdef AND has_function_privilege('public', oid, 'EXECUTE')
    AND proname ~ '^(hold_batch|settle_calls|purge_holds)_'`);
  expect(open.rows).toEqual([]);
  await db.end();
});

tested('a plain restore, which cannot give anything to a role that is not there, serves as well', async () => {
  const before = await startServer();
  const url = await createOwner(before, 'app', 'shop');
  const first = await start(url, 'second');
  const file = join(directory, 'plain.dump');
  before.tool('pg_dump', ['-Fc', '-f', file, url]);
  await first.weir.kill('SIGINT');

  const after = await startServer();
  const restored = await createOwner(after, 'app', 'shop');
  const complaints = () => after.tool('pg_restore', ['-d', restored, file]);
  expect(complaints).toThrow(/role "weir_run_shop" does not exist/);
  const second = await start(restored, 'second');
  await call(second.ready);
});
