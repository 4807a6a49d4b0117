import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/platform/config/index.js';
import { unprivilegedUser } from '../../src/platform/postgres/embedded-binaries.js';
import { auditLedger } from '../../src/roles/audit.js';
import { migrateDatabase } from '../../src/roles/database.js';
import { describeFailure } from '../../src/roles/failure.js';
import { openPool } from '../support/database.js';
import { testsWith } from '../support/needs.js';
import { type Ready, ROOT, WeirProcess } from '../support/process.js';
import { findPostgres, PostgresServer } from '../support/server-postgres.js';

jest.setTimeout(120_000);

const postgres = findPostgres();
const { test: tested } = testsWith('a Postgres server with pg_dump', postgres !== null);

let directory: string;
const servers: PostgresServer[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-recovery-'));
  chmodSync(directory, 0o755);
});

afterAll(async () => {
  await WeirProcess.endAll();
  for (const server of servers) await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** The commands of the manual that need no root. */
const page = readFileSync(join(ROOT, 'docs/operations/recovery.md'), 'utf8');
const blocks = [...page.matchAll(/<!-- runs in tests -->\n```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands!);

function paste(server: PostgresServer, commands: string): void {
  const here = commands
    .replaceAll(/sudo (-u postgres )?/g, '')
    .replaceAll('-o postgres ', '')
    .replaceAll('/var/backups/weir', `${server.directory}/backups`)
    .replaceAll('/var/lib/postgresql/15/main', server.data);
  const env = {
    ...server.binaries.env,
    PATH: `${server.binaries.directory}:${process.env['PATH']}`,
    PGHOST: '127.0.0.1',
    PGPORT: String(server.port),
    PGUSER: 'postgres',
  };
  execFileSync('bash', ['-euo', 'pipefail', '-c', here], { ...unprivilegedUser(), cwd: '/', env, stdio: 'pipe' });
}

async function start(url: string): Promise<{ weir: WeirProcess; ready: Ready }> {
  const weir = WeirProcess.spawn({ DATABASE_URL: url, WEIR_HOME: join(directory, 'home'), WEIR_DEMO: '1' });
  return { weir, ready: await weir.ready() };
}

async function call({ public: address }: Ready, key: string): Promise<void> {
  const response = await fetch(`${address}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] }),
  });
  expect([response.status, (await response.text()).length > 0]).toEqual([200, true]);
}

const ledger = (url: string) =>
  withDatabase<{ calls: number; spent: string }>(
    url,
    'SELECT (SELECT count(*)::int FROM calls) AS calls, (SELECT sum(spent)::text FROM budget_periods) AS spent',
  );

async function withDatabase<Row extends object>(url: string, statement: string): Promise<Row> {
  const db = openPool(url);
  const { rows } = await db.query<Row>(statement);
  await db.end();
  return rows[0]!;
}

tested("the manual's commands bring the ledger back to a moment, whole; a standby of it is not taken for another database", async () => {
  const [archive, base, recover, wait, ...others] = blocks;
  expect(others).toEqual([]);
  const server = await PostgresServer.start(postgres!);
  servers.push(server);
  paste(server, archive!);
  await server.restart();
  await server.run('CREATE ROLE weir LOGIN CREATEROLE');
  await server.run('CREATE DATABASE weir OWNER weir');
  const url = server.url('weir', 'weir');
  const first = await start(url);
  const key = first.ready.api_key!;
  await call(first.ready, key);
  paste(server, base!);
  await call(first.ready, key);
  const kept = await ledger(url);
  const { moment } = await withDatabase<{ moment: string }>(url, 'SELECT clock_timestamp()::text AS moment');
  await call(first.ready, key);
  await first.weir.kill('SIGINT');
  const lost = await ledger(url);
  expect([kept.calls, lost.calls]).toEqual([2, 3]);
  expect(Number(lost.spent)).toBeGreaterThan(Number(kept.spent));

  const restore = `restore_command=cp ${server.directory}/backups/wal/%f %p`;
  const standby = await PostgresServer.start(postgres!, [restore], `${server.directory}/backups/base`);
  servers.push(standby);
  const refused = (calls: string, direct: string) => {
    const config = readConfig({ DATABASE_URL: calls, DATABASE_DIRECT_URL: direct }, directory);
    return migrateDatabase(calls, config).then(String, describeFailure);
  };
  const said = 'weir: Postgres is read-only: a standby answered, directly or through a pooler that sends reads to replicas; point';
  const copy = standby.url('weir', 'weir');
  expect(await refused(copy, url)).toContain(`${said} DATABASE_URL to the primary`);
  expect(await refused(url, copy)).toContain(`${said} DATABASE_DIRECT_URL to the primary`);

  await server.run('SELECT pg_switch_wal()');
  await server.restart(() => {
    rmSync(server.data, { recursive: true });
    paste(server, recover!.replace(/^MOMENT=.*$/m, `MOMENT='${moment}'`));
  });
  paste(server, wait!);
  expect(await ledger(url)).toEqual(kept);
  const audit = async () => (await auditLedger(readConfig({ DATABASE_URL: url, WEIR_HOME: directory }, directory), 'full')).breaches;
  expect(await audit()).toEqual([]);
  const second = await start(url);
  await call(second.ready, key);
  await second.weir.kill('SIGINT');
  expect([(await ledger(url)).calls, await audit()]).toEqual([3, []]);
});
