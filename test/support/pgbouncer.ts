import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { unprivilegedUser } from '../../src/platform/postgres/embedded-binaries.js';
import { findDebianProgram } from './debian-package.js';
import { freePort } from './free-port.js';
import { leash } from './leash.js';
import { type Tests, testsWith } from './needs.js';

const PGBOUNCER = {
  name: 'pgbouncer',
  file: 'usr/sbin/pgbouncer',
  packages: [
    ['pgbouncer', 'libc-ares2', 'libevent-2.1-7'],
    ['pgbouncer', 'libcares2', 'libevent-2.1-7t64'],
  ],
};

export interface PgBouncer {
  readonly port: number;
  /** The URL of a database behind it. */
  through(url: string): string;
  stop(): Promise<void>;
}

export interface PgBouncerOptions {
  mode: 'transaction' | 'session';
  /** Connections to the server, for each database and role. */
  size?: number;
  /** Roles that may come, beside that of the server's URL. */
  users?: readonly string[];
}

/** `test` and `describe` for what needs PgBouncer. */
export const testsWithPgBouncer = (): Tests => testsWith('pgbouncer', findDebianProgram(PGBOUNCER) !== null);

/** Starts one in front of a server that is named by a URL. @throws where this machine has none; see `testsWithPgBouncer`. */
export async function startPgBouncer(server: string, { mode, size = 20, users = [] }: PgBouncerOptions): Promise<PgBouncer> {
  const program = findDebianProgram(PGBOUNCER);
  if (!program) throw new Error('no pgbouncer');
  const directory = mkdtempSync(path.join(tmpdir(), 'weir-pgbouncer-'));
  chmodSync(directory, 0o755);
  const port = await freePort();
  const { hostname, port: serverPort, username, password } = new URL(server);
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    // Whoever it is, goes on as the same role: it knows the password of one.
    auth_type: 'trust',
    auth_file: path.join(directory, 'users.txt'),
    pool_mode: mode,
    default_pool_size: size,
    max_client_conn: 1_000,
    server_reset_query: 'DISCARD ALL',
    query_wait_timeout: 20,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const known = [`"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"`, ...users.map((user) => `"${user}" ""`)];
  writeFileSync(settings.auth_file, `${known.join('\n')}\n`);
  writeFileSync(
    path.join(directory, 'pgbouncer.ini'),
    `[databases]\n* = host=${hostname} port=${serverPort}\n[pgbouncer]\n${lines.join('\n')}\n`,
  );
  const child = spawn(program.command, [path.join(directory, 'pgbouncer.ini')], {
    ...unprivilegedUser(),
    cwd: '/',
    env: program.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await untilListening(child);
  const release = leash(child.pid!, directory);
  return {
    port,
    through(url) {
      const there = new URL(url);
      there.port = String(port);
      return there.href;
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      release();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function untilListening(child: ChildProcess): Promise<void> {
  let said = '';
  for await (const line of createInterface({ input: child.stderr! })) {
    said += `${line}\n`;
    if (!line.includes('process up')) continue;
    child.stderr!.resume(); // a full pipe would stop it
    return;
  }
  throw new Error(`pgbouncer did not start: ${said}`);
}
