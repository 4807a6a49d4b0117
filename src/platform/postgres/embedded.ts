import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CHILD_ENV, findBinaries } from './embedded-binaries.js';
import { createDatabase, findHome, type Home, holdsDatabase, logFile, readPassword } from './embedded-home.js';

const POLL_MS = 10;
const START_TIMEOUT_MS = 120_000;
const FAST_STOP_TIMEOUT_MS = 30_000;
const IMMEDIATE_STOP_TIMEOUT_MS = 10_000;
const START_ATTEMPTS = 10;
const RETRY_PAUSE_MS = 200;

/** The port was taken in between; or processes of a server that was killed are still leaving. */
const PASSING_TROUBLE = /Address already in use|shared memory block .* is still in use/;

export interface EmbeddedPostgresOptions {
  /** Created when missing. As root in a private home the files go elsewhere, and `<dataDir>.location` says where. */
  dataDir: string;
  /** `false` gives up crash safety for speed: for tests only. */
  durable?: boolean;
}

/** A running PostgreSQL of our own. */
export interface EmbeddedPostgres {
  /** Superuser URL of the database `postgres`, password included. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Where the files really are. */
  readonly dataDir: string;
  /** It was running before, and somebody else may be using it. */
  readonly wasRunning: boolean;
  /** Ends the server and resolves when it is gone. Open connections are cut. */
  stop(): Promise<void>;
}

interface Postmaster {
  pid: number;
  port: number;
}

/**
 * Starts a private PostgreSQL on 127.0.0.1 from the binaries that npm installed, or takes over the one that a killed
 * process left running on the same data directory. Works as root (the server then runs as an unprivileged user).
 *
 * @throws Error with one line to show to the operator.
 */
export async function startEmbeddedPostgres({ dataDir, durable = true }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const home = findHome(dataDir);
  const running = await findRunning(home.dataDir);
  if (running) return handle(home, running, true);

  const binaries = findBinaries(home.user);
  const ready = holdsDatabase(home.dataDir) ? home : createDatabase(home, binaries, durable);
  return handle(ready, await launch(ready, binaries, durable), false);
}

/** Whether there is a database under a directory that `startEmbeddedPostgres` would start. */
export function hasEmbeddedPostgres(dataDir: string): boolean {
  return existsSync(path.dirname(dataDir)) && holdsDatabase(findHome(dataDir).dataDir);
}

function handle(home: Home, { pid, port }: Postmaster, wasRunning: boolean): EmbeddedPostgres {
  let stopped: Promise<void> | undefined;
  return {
    url: `postgresql://postgres:${readPassword(home)}@127.0.0.1:${port}/postgres`,
    port,
    pid,
    dataDir: home.dataDir,
    wasRunning,
    stop: () => {
      stopped ??= stopPostmaster(pid, home.dataDir);
      return stopped;
    },
  };
}

async function launch(home: Home, binaries: string, durable: boolean): Promise<Postmaster> {
  readPassword(home);
  for (let attempt = 1; ; attempt++) {
    removeMisleadingLock(home.dataDir);
    const port = await freePort();
    const child = await spawnPostmaster(home, binaries, port, durable);
    if (await becomesReady(child, home.dataDir)) return { pid: child.pid!, port };

    const winner = await findRunning(home.dataDir); // another process may have started it in the same moment
    if (winner) return winner;
    const report = readFileSync(logFile(home), 'utf8');
    if (!PASSING_TROUBLE.test(report) || attempt === START_ATTEMPTS) {
      throw new Error(`the embedded PostgreSQL did not start: ${reasonIn(report)}`);
    }
    await delay(RETRY_PAUSE_MS);
  }
}

async function spawnPostmaster(home: Home, binaries: string, port: number, durable: boolean): Promise<ChildProcess> {
  rmSync(logFile(home), { force: true });
  const log = openSync(logFile(home), 'a', 0o600);
  try {
    const child = spawn(path.join(binaries, 'postgres'), ['-D', home.dataDir, ...settings(port, durable)], {
      ...home.user,
      cwd: '/',
      env: CHILD_ENV,
      // Ctrl-C goes to the whole process group of the terminal; the database must outlive the calls being settled.
      detached: true,
      stdio: ['ignore', log, log],
    });
    child.unref();
    await once(child, 'spawn');
    return child;
  } finally {
    closeSync(log);
  }
}

function settings(port: number, durable: boolean): string[] {
  const values = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    // Statement errors reach the client that caused them; the file keeps what only the server knows, and stays small.
    log_min_messages: 'log',
    log_checkpoints: 'off',
    log_timezone: 'UTC',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function becomesReady(child: ChildProcess, dataDir: string): Promise<boolean> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (child.exitCode === null && child.signalCode === null) {
    const lock = readLock(dataDir);
    if (lock?.pid === child.pid && lock?.status === 'ready') return true;
    if (Date.now() > deadline) {
      child.kill('SIGQUIT');
      throw new Error(`the embedded PostgreSQL was not ready after ${START_TIMEOUT_MS / 1000} s`);
    }
    await delay(POLL_MS);
  }
  return false;
}

/** The live server of a data directory, once it is ready; null when there is none. */
async function findRunning(dataDir: string): Promise<Postmaster | null> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const lock = readLock(dataDir);
    if (!lock || !isPostmasterOf(lock.pid, dataDir)) return null;
    if (lock.status === 'ready') return lock;
    if (Date.now() > deadline) throw new Error(`the PostgreSQL with process id ${lock.pid} is still ${lock.status}`);
    await delay(POLL_MS);
  }
}

async function stopPostmaster(pid: number, dataDir: string): Promise<void> {
  signal(pid, 'SIGINT');
  if (await isGone(pid, dataDir, FAST_STOP_TIMEOUT_MS)) return;
  signal(pid, 'SIGQUIT');
  if (await isGone(pid, dataDir, IMMEDIATE_STOP_TIMEOUT_MS)) return;
  throw new Error(`the embedded PostgreSQL with process id ${pid} does not stop`);
}

async function isGone(pid: number, dataDir: string, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isPostmasterOf(pid, dataDir)) {
    if (Date.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The lines of postmaster.pid: process id, directory, start time, port, socket directory, address, shared memory, status. */
function readLock(dataDir: string): (Postmaster & { status: string }) | null {
  const text = readIfPresent(lockFile(dataDir));
  if (text === null) return null;
  const lines = text.split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3]), status: lines[7]?.trim() ?? 'starting' };
}

function readIfPresent(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * PostgreSQL clears a lock whose process is dead, but not one whose number now belongs to another program of the same user.
 * A server that is still alive without its lock is found through its shared memory, so two can never share the directory.
 */
function removeMisleadingLock(dataDir: string): void {
  const lock = readLock(dataDir);
  if (lock && !isPostmasterOf(lock.pid, dataDir)) rmSync(lockFile(dataDir), { force: true });
}

const lockFile = (dataDir: string) => path.join(dataDir, 'postmaster.pid');

/** A process id alone proves nothing: it may be a zombie, or another program by now. */
function isPostmasterOf(pid: number, dataDir: string): boolean {
  const command = commandLine(pid);
  return /(^|\/)postgres /.test(command) && command.includes(` -D ${dataDir} `);
}

function commandLine(pid: number): string {
  if (!Number.isInteger(pid) || pid <= 0) return '';
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return `${execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim()} `;
  } catch {
    return '';
  }
}

/** A port that was free a moment ago. It is remembered nowhere: the next start takes another one. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function reasonIn(report: string): string {
  const lines = report.trim().split('\n');
  const message = lines.findLast((line) => /\b(FATAL|PANIC):/.test(line)) ?? lines.at(-1) ?? '';
  const detail = lines.find((line) => line.includes('DETAIL:')) ?? '';
  return (
    [message, detail]
      .map((line) => line.replace(/^.*?(FATAL|PANIC|DETAIL):\s*/, ''))
      .filter(Boolean)
      .join(' ') || 'it gave no reason'
  );
}
