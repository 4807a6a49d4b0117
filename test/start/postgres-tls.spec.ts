import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unprivilegedUser } from '../../src/platform/postgres/embedded-binaries.js';
import { RoutedClient } from '../../src/platform/postgres/index.js';
import { testsWith } from '../support/needs.js';
import { ROOT } from '../support/process.js';
import { findPostgres, PostgresServer } from '../support/server-postgres.js';
import { eventually } from '../support/weir.js';

jest.setTimeout(60_000);

const postgres = findPostgres();
const { test: tested } = testsWith('a Postgres server with pg_dump', postgres !== null);

let directory: string;
let server: PostgresServer | null = null;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-postgres-tls-'));
  mkdirSync(join(directory, 'tls'));
  const { uid, gid } = unprivilegedUser();
  if (uid !== undefined) for (const one of [directory, join(directory, 'tls')]) chownSync(one, uid, gid!);
  chmodSync(directory, 0o755);
});

afterAll(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** The commands of the manual that need no root. */
const page = readFileSync(join(ROOT, 'docs/operations/tls.md'), 'utf8');
const blocks = [...page.matchAll(/<!-- runs in tests -->\n```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands!);

function paste(at: PostgresServer, commands: string): void {
  const here = commands
    .replaceAll(/sudo (-u postgres )?/g, '')
    .replaceAll('-o postgres ', '')
    .replaceAll('/etc/weir', directory)
    .replaceAll('/etc/postgresql/15/main', at.data);
  const env = {
    ...at.binaries.env,
    PATH: `${at.binaries.directory}:${process.env['PATH']}`,
    PGHOST: '127.0.0.1',
    PGPORT: String(at.port),
    PGUSER: 'postgres',
  };
  execFileSync('bash', ['-euo', 'pipefail', '-c', here], { ...unprivilegedUser(), cwd: '/', env, stdio: 'pipe' });
}

/** As whom a connection by this URL is known; null: it is not encrypted. */
async function shown(url: string): Promise<string | null> {
  const client = new RoutedClient({ url });
  await client.connect();
  try {
    const { rows } = await client.query<{ client_dn: string | null }>(
      'SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl',
    );
    return rows[0]?.client_dn ?? null;
  } finally {
    await client.end();
  }
}

tested("the manual's commands make an authority, and a Postgres that takes Weir with its certificate and nobody without", async () => {
  const [issue, lead, refuse, ...others] = blocks;
  expect(others).toEqual([]);
  server = await PostgresServer.start(postgres!);
  await server.run("CREATE ROLE weir LOGIN PASSWORD 'secret'");
  await server.run('CREATE DATABASE weir OWNER weir');
  const plain = server.url('weir', 'weir').replace('weir@', 'weir:secret@');
  writeFileSync(join(directory, 'database-url'), `${plain}\n`);
  const { uid, gid } = unprivilegedUser();
  if (uid !== undefined) chownSync(join(directory, 'database-url'), uid, gid!);
  expect(await shown(plain)).toBeNull();

  paste(server, issue!);
  paste(server, lead!);
  const url = readFileSync(join(directory, 'database-url'), 'utf8').trim();
  await eventually(async () => (await shown(url).catch(() => null)) === '/CN=weir');
  expect(await shown(plain)).toBeNull();

  paste(server, refuse!);
  const isRefused = (query: string, words: RegExp) =>
    shown(`${plain}${query}`).then(
      () => false,
      (error: Error) => words.test(error.message),
    );
  await eventually(() => isRefused('', /rejects connection/));
  expect(await isRefused(`?sslmode=verify-full&sslrootcert=${directory}/tls/ca.crt`, /requires a valid client certificate/)).toBe(true);
  expect(await isRefused('?sslmode=verify-full', /certificate/)).toBe(true);
  expect(await shown(url)).toBe('/CN=weir');
});
