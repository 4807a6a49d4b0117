import { chmodSync, chownSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { unprivilegedUser } from '../../src/platform/postgres/embedded-binaries.js';
import { createPool, migrate, RoutedClient } from '../../src/platform/postgres/index.js';
import { selfSigned } from '../support/certificate.js';
import { freePort } from '../support/free-port.js';
import { testsWith } from '../support/needs.js';
import { findPostgres, PostgresServer } from '../support/server-postgres.js';
import { eventually } from '../support/weir.js';

jest.setTimeout(60_000);

const postgres = findPostgres();
const { describe: tested } = testsWith('a Postgres server with pg_dump', postgres !== null);

async function ask<T>(url: string, text: string): Promise<T> {
  const client = new RoutedClient({ url });
  await client.connect();
  try {
    return Object.values((await client.query(text)).rows[0] as object)[0] as T;
  } finally {
    await client.end();
  }
}

tested('TLS', () => {
  let server: PostgresServer;
  let ca: string;

  beforeAll(async () => {
    server = await PostgresServer.start(postgres!);
    const { cert, key } = selfSigned(server.directory, 'localhost', 'DNS:localhost');
    ca = cert;
    copyFileSync(cert, join(server.data, 'server.crt'));
    copyFileSync(key, join(server.data, 'server.key'));
    chmodSync(join(server.data, 'server.key'), 0o600);
    const { uid, gid } = unprivilegedUser();
    if (uid !== undefined) for (const name of ['server.crt', 'server.key']) chownSync(join(server.data, name), uid, gid!);
    await server.run('ALTER SYSTEM SET ssl = on');
    await server.run('SELECT pg_reload_conf()');
    await eventually(() => ask<boolean>(`${server.url()}?sslmode=require`, 'SELECT true').catch(() => false));
  });

  afterAll(() => server?.stop());

  const encrypted = (query: string, host = '127.0.0.1') =>
    ask<boolean>(`${server.url().replace('127.0.0.1', host)}?${query}`, 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');

  test.each([
    ['sslmode=disable', false],
    ['sslmode=allow', false],
    ['sslmode=prefer', true],
    ['sslmode=require', true],
  ])('%s: %s, whoever signed the certificate', async (query, expected) => expect(await encrypted(query)).toBe(expected));

  test("an authority of one's own is named by sslrootcert; without it, verify-ca and verify-full refuse", async () => {
    for (const mode of ['require', 'verify-ca', 'verify-full'])
      expect(await encrypted(`sslmode=${mode}&sslrootcert=${ca}`, 'localhost')).toBe(true);
    for (const mode of ['verify-ca', 'verify-full']) await expect(encrypted(`sslmode=${mode}`, 'localhost')).rejects.toThrow(/certificate/);
  });

  test('a server without TLS is reached by prefer, and not by require', async () => {
    await server.run('ALTER SYSTEM SET ssl = off');
    await server.run('SELECT pg_reload_conf()');
    await eventually(() =>
      encrypted('sslmode=require').then(
        () => false,
        () => true,
      ),
    );
    expect(await encrypted('sslmode=prefer&application_name=again')).toBe(false);
    await expect(encrypted('sslmode=require')).rejects.toThrow('does not support SSL');
  });
});

tested('several servers', () => {
  let first: PostgresServer;
  let second: PostgresServer;

  beforeAll(async () => {
    first = await PostgresServer.start(postgres!);
    second = await PostgresServer.start(postgres!);
    for (const server of [first, second]) await migrate(server.url());
  });

  afterAll(async () => {
    await first?.stop();
    await second?.stop();
  });

  const PORT = `SELECT current_setting('port')::int`;
  const at = (...ports: number[]) => `postgresql://postgres@${ports.map((port) => `127.0.0.1:${port}`).join(',')}/postgres`;

  test('the first that answers and takes writes is used, and once it does not, the next', async () => {
    const url = at(await freePort(), first.port, second.port);
    expect(await ask(url, PORT)).toBe(first.port);
    const pool = createPool(url, { max: 2, statementTimeoutMs: 5_000, name: 'test' });
    const port = async () => Number((await pool.query<{ port: string }>(`SELECT current_setting('port') AS port`)).rows[0]!.port);
    expect(await port()).toBe(first.port);
    // As a server that has become a standby.
    await first.run('ALTER SYSTEM SET default_transaction_read_only = on');
    await first.run('SELECT pg_reload_conf()');
    await first.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weir-test'`);
    await eventually(async () => (await port().catch(() => 0)) === second.port);
    expect(await ask(at(first.port, second.port), PORT)).toBe(second.port);
    expect(await ask(`${at(first.port, second.port)}?target_session_attrs=read-only`, PORT)).toBe(first.port);
    await pool.end();
  });
});
