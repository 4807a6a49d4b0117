import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type FoundProgram, findDebianProgram } from './debian-package.js';
import { freePort } from './free-port.js';
import { leash } from './leash.js';

const REDIS = {
  name: 'redis-server',
  file: 'usr/bin/redis-server',
  packages: [
    ['redis-server', 'redis-tools'],
    ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1'],
  ],
};

export interface TestRedis {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a Redis of its own, empty and without persistence. Null on a machine that has none; in CI that is an error. */
export async function startRedis(): Promise<TestRedis | null> {
  const program = findDebianProgram(REDIS);
  if (program) return start(program);
  if (process.env.CI) throw new Error('no redis-server on PATH, and apt-get could not download one');
  return null;
}

async function start(program: FoundProgram): Promise<TestRedis> {
  const directory = mkdtempSync(path.join(tmpdir(), 'weir-redis-'));
  const port = await freePort();
  const child = spawn(program.command, settings(port, directory), { env: program.env, stdio: ['ignore', 'pipe', 'ignore'] });
  await untilReady(child);
  const pid = child.pid!;
  const release = leash(pid, directory);
  return {
    url: `redis://127.0.0.1:${port}`,
    pid,
    stop: async () => {
      await end(child);
      rmSync(directory, { recursive: true, force: true });
      release();
    },
  };
}

function settings(port: number, directory: string): string[] {
  return ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no', '--daemonize', 'no'];
}

async function untilReady(child: ChildProcess): Promise<void> {
  let said = '';
  for await (const line of createInterface({ input: child.stdout! })) {
    said += `${line}\n`;
    if (!line.includes('Ready to accept connections')) continue;
    child.stdout!.resume(); // a full pipe would stop the server
    return;
  }
  throw new Error(`redis-server did not start: ${said}`);
}

/** Killed outright: there is nothing to save, and a test may have frozen it. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
