import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { type FoundProgram, findDebianProgram } from './debian-package.js';
import { freePort } from './free-port.js';
import { leash } from './leash.js';
import { type Tests, testsWith } from './needs.js';

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

/** Whether this machine has a Redis, or can fetch one. */
const hasRedis = (): boolean => findDebianProgram(REDIS) !== null;

/** `test` and `describe` for what needs Redis. */
export const testsWithRedis = (): Tests => testsWith('redis-server', hasRedis());

/** Starts a Redis, which takes snapshots only when told to. @throws where this machine has none; see `testsWithRedis`. */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const program = findDebianProgram(REDIS);
  if (!program) throw new Error('no redis-server');
  return start(program, options);
}

/** A cluster of three, each with a third of the slots. */
export async function startRedisCluster(): Promise<{ url: string; nodes: readonly TestRedis[]; stop(): Promise<void> }> {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const start = () => startRedis({ settings });
  const nodes = await Promise.all([start(), start(), start()]);
  const [first, second, third] = nodes;
  const clients = nodes.map((node) => new Redis(node.url));
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
  return { url: first.url, nodes, stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))) };
}

export interface SentinelGroup {
  /** Names the sentinels and no server. */
  url: string;
  master: TestRedis;
  replica: TestRedis;
  stop(): Promise<void>;
}

/**
 * A server, its replica and three sentinels that watch over them as `weir`.
 * @param servers more settings of both servers, as on their command line. @param lines more lines of the sentinels' files.
 */
export async function startSentinelGroup(servers: readonly string[], lines: readonly string[]): Promise<SentinelGroup> {
  const master = await startRedis({ settings: servers });
  const replica = await startRedis({ settings: [...servers, '--replicaof', '127.0.0.1', String(master.port)] });
  const sentinels = await startSentinels(master.port, () => lines);
  const stop = async () => void (await Promise.all([master, replica, sentinels].map((server) => server.stop())));
  return { url: sentinels.url, master, replica, stop };
}

/** Three sentinels that watch over a server as `weir`. @param linesAt more lines of the file of one at a port. */
export async function startSentinels(
  masterPort: number,
  linesAt: (port: number) => readonly string[],
): Promise<{ url: string; stop(): Promise<void> }> {
  const started = await Promise.all([0, 1, 2].map(() => startSentinel(masterPort, linesAt)));
  return {
    url: `redis-sentinel://${started.map(({ port }) => `127.0.0.1:${port}`).join(',')}/0?master=weir`,
    stop: async () => void (await Promise.all(started.map((sentinel) => sentinel.stop()))),
  };
}

/** A sentinel keeps what it learns in its file. */
async function startSentinel(masterPort: number, linesAt: (port: number) => readonly string[]): Promise<TestRedis> {
  const directory = mkdtempSync(path.join(tmpdir(), 'weir-sentinel-'));
  const file = path.join(directory, 'sentinel.conf');
  const port = await freePort();
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${directory}`,
    `sentinel monitor weir 127.0.0.1 ${masterPort} 2`,
    'sentinel down-after-milliseconds weir 1000',
    'sentinel failover-timeout weir 5000',
    ...linesAt(port),
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return run(findDebianProgram(REDIS)!, [file, '--sentinel'], port, directory, '+monitor master');
}

async function start(
  program: FoundProgram,
  { directory: given, appendOnly = false, settings: more = [] }: RedisOptions,
): Promise<TestRedis> {
  const directory = given ?? mkdtempSync(path.join(tmpdir(), 'weir-redis-'));
  const port = await freePort();
  return run(program, [...settings(port, directory, appendOnly), ...more], port, directory, 'Ready to accept connections');
}

/** @param word stands in the line that says that it is ready. */
async function run(program: FoundProgram, args: readonly string[], port: number, directory: string, word: string): Promise<TestRedis> {
  const child = spawn(program.command, args, { env: program.env, stdio: ['ignore', 'pipe', 'ignore'] });
  await untilReady(child, word);
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

async function untilReady(child: ChildProcess, word: string): Promise<void> {
  let said = '';
  for await (const line of createInterface({ input: child.stdout! })) {
    said += `${line}\n`;
    if (!line.includes(word)) continue;
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
