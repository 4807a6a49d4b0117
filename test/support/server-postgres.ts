import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { unprivilegedUser } from '../../src/platform/postgres/embedded-binaries.js';
import { runOnce } from './database.js';
import { findDebianProgram } from './debian-package.js';
import { freePort } from './free-port.js';
import { leash } from './leash.js';

const RELEASES = '/usr/lib/postgresql';
const VERSION = '15';
const PACKAGED = {
  name: 'pg_dump',
  file: `usr/lib/postgresql/${VERSION}/bin/pg_dump`,
  packages: [[`postgresql-${VERSION}`, `postgresql-client-${VERSION}`, 'libpq5']],
};

/** The programs of one release of Postgres, and where their shared libraries are. */
export interface Binaries {
  directory: string;
  env: NodeJS.ProcessEnv;
}

/** A whole Postgres, with `pg_dump` and its like, as the embedded one is not. Null on a machine that has none. */
export function findPostgres(): Binaries | null {
  const installed = existsSync(RELEASES) ? readdirSync(RELEASES).sort((a, b) => Number(b) - Number(a)) : [];
  for (const release of installed) {
    const directory = path.join(RELEASES, release, 'bin');
    if (['initdb', 'pg_dump'].every((name) => existsSync(path.join(directory, name)))) return { directory, env: process.env };
  }
  const copied = findDebianProgram(PACKAGED);
  if (copied && copied.command !== PACKAGED.name) return { directory: path.dirname(copied.command), env: copied.env };
  return null;
}

/** A cluster of its own, which anybody on this machine may enter without a password. */
export class PostgresServer {
  private constructor(
    readonly directory: string,
    readonly binaries: Binaries,
    readonly port: number,
    private readonly settings: readonly string[],
    private child: ChildProcess,
    private release: () => void,
  ) {}

  /** @param settings more of them, as `-c` takes them. @param base a base backup to follow as a standby, instead of an empty cluster */
  static async start(binaries: Binaries, settings: readonly string[] = [], base: string | null = null): Promise<PostgresServer> {
    const directory = mkdtempSync(path.join(tmpdir(), 'weir-server-'));
    chmodSync(directory, 0o755);
    const user = unprivilegedUser();
    const data = path.join(directory, 'data');
    if (user.uid !== undefined) chownSync(directory, user.uid, user.gid!);
    const options = { ...user, cwd: '/', env: binaries.env, stdio: 'ignore' } as const;
    const empty = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'];
    if (base === null) execFileSync(path.join(binaries.directory, 'initdb'), empty, options);
    else execFileSync('sh', ['-c', 'cp -a "$0" "$1" && touch "$1/standby.signal"', base, data], options);
    const port = await freePort();
    const child = await launch(binaries, data, port, settings);
    return new PostgresServer(directory, binaries, port, settings, child, leash(child.pid!, directory));
  }

  get data(): string {
    return path.join(this.directory, 'data');
  }

  /** @param user superuser unless given */
  url(database = 'postgres', user = 'postgres'): string {
    return `postgresql://${user}@127.0.0.1:${this.port}/${database}`;
  }

  /** As the superuser. */
  run(statement: string, database = 'postgres'): Promise<void> {
    return runOnce(this.url(database), statement);
  }

  /** Runs one of its programs. @throws with what it said on stderr */
  tool(name: string, args: readonly string[]): string {
    return execFileSync(path.join(this.binaries.directory, name), args, { env: this.binaries.env, encoding: 'utf8', stdio: 'pipe' });
  }

  /** Stops it, and starts it again on what its directory has by then. */
  async restart(meanwhile = () => {}): Promise<void> {
    await this.end();
    meanwhile();
    this.child = await launch(this.binaries, this.data, this.port, this.settings);
    this.release = leash(this.child.pid!, this.directory);
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGINT');
      await once(this.child, 'exit');
    }
    this.release();
  }
}

async function launch(binaries: Binaries, data: string, port: number, settings: readonly string[]): Promise<ChildProcess> {
  const own = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', ...settings];
  const child = spawn(path.join(binaries.directory, 'postgres'), ['-D', data, ...own.flatMap((setting) => ['-c', setting])], {
    ...unprivilegedUser(),
    cwd: '/',
    env: binaries.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr!.on('data', (chunk) => {
    said += chunk;
  });
  const pidFile = path.join(data, 'postmaster.pid');
  while (!(existsSync(pidFile) && /\n(ready|standby)\s*$/.test(readFileSync(pidFile, 'utf8')))) {
    if (child.exitCode !== null) throw new Error(`postgres did not start: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return child;
}
