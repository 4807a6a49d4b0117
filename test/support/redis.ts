import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
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
  readonly port: number;
  readonly pid: number;
  /** Ends it outright; what it had written stays. */
  kill(): Promise<void>;
  /** The same, and nothing stays. */
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** Where it finds and keeps its data, a directory of its caller's; without it, it begins empty. */
  directory?: string;
  /** Writes each command to disk, at the latest after a second. */
  appendOnly?: boolean;
  /** More settings, as on its command line. */
  settings?: readonly string[];
}

/** Starts a Redis of its own, which takes snapshots only when told to. Null on a machine that has none; in CI that is an error. */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis | null> {
  const program = findDebianProgram(REDIS);
  if (program) return start(program, options);
  if (process.env.CI) throw new Error('no redis-server on PATH, and apt-get could not download one');
  return null;
}

/** A cluster of three, each with a third of the slots; null as above. */
export async function startRedisCluster(): Promise<{ url: string; stop(): Promise<void> } | null> {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const nodes = await Promise.all([0, 1, 2].map(() => startRedis({ settings })));
  const [first, second, third] = nodes;
  if (!first || !second || !third) return null;
  const clients = nodes.map((node) => new Redis(node!.url));
  for (const [index, slots] of [
    [0, 5460],
    [5461, 10922],
    [10923, 16383],
  ].entries())
    await clients[index]!.call('CLUSTER', 'ADDSLOTSRANGE', ...slots.map(String));
  for (const { port } of [second, third]) await clients[0]!.call('CLUSTER', 'MEET', '127.0.0.1', String(port));
  const ready = async (client: Redis) => {
    const text = (await client.call('CLUSTER', 'INFO')) as string;
    return text.includes('cluster_state:ok') && text.includes('cluster_known_nodes:3');
  };
  while (!(await Promise.all(clients.map(ready))).every(Boolean)) await new Promise((resolve) => setTimeout(resolve, 50));
  for (const client of clients) client.disconnect();
  return { url: first.url, stop: async () => void (await Promise.all(nodes.map((node) => node!.stop()))) };
}

async function start(
  program: FoundProgram,
  { directory: given, appendOnly = false, settings: more = [] }: RedisOptions,
): Promise<TestRedis> {
  const directory = given ?? mkdtempSync(path.join(tmpdir(), 'weir-redis-'));
  const port = await freePort();
  const child = spawn(program.command, [...settings(port, directory, appendOnly), ...more], {
    env: program.env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await untilReady(child);
  const pid = child.pid!;
  const release = leash(pid, directory);
  const kill = async () => {
    await end(child);
    release();
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid,
    kill,
    stop: async () => {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function settings(port: number, directory: string, appendOnly: boolean): string[] {
  const persistence = ['--dir', directory, '--save', '', '--appendonly', appendOnly ? 'yes' : 'no'];
  return ['--port', String(port), '--bind', '127.0.0.1', ...persistence, '--daemonize', 'no'];
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
