import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, Redis } from 'ioredis';
import { readConfig } from '../../src/platform/config/index.js';
import { openRedisStore } from '../../src/platform/queue/redis-store.js';
import { selfSigned } from '../support/certificate.js';
import { freePort } from '../support/free-port.js';
import { QueueRig } from '../support/queue-rig.js';
import { type SentinelGroup, startRedis, startRedisCluster, startSentinelGroup, startSentinels, testsWithRedis } from '../support/redis.js';
import { eventually } from '../support/weir.js';

jest.setTimeout(90_000);

/** A line a second would be seen. */
const WATCHED_MS = 2_000;

const { test, describe } = testsWithRedis();

const open: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  jest.restoreAllMocks();
  await QueueRig.stopAll();
  await Promise.all(open.splice(0).map((server) => server.stop()));
});

async function kept<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  open.push(server);
  return server;
}

const PASSWORDS = {
  servers: ['--requirepass', 'of servers', '--masterauth', 'of servers'],
  sentinels: ['sentinel auth-pass weir "of servers"', 'requirepass "of sentinels"', 'sentinel sentinel-pass "of sentinels"'],
};

describe('a Redis that sentinels name', () => {
  const goesOn = async (rig: QueueRig) => {
    const before = rig.runs;
    await eventually(async () => rig.runs > before && rig.queues.fault === null, 40_000);
  };
  const follows = ({ master, replica }: SentinelGroup) =>
    eventually(async () => {
      const client = new Redis(replica.url, { password: 'of servers' });
      const info = await client.info('replication').finally(() => client.disconnect());
      return info.includes('master_link_status:up') && info.includes(`master_port:${master.port}`);
    }, 20_000);

  test.each(['is killed', 'freezes'])('runs the jobs, and the one that takes over when it %s does', async (end) => {
    const group = await kept(startSentinelGroup(PASSWORDS.servers, PASSWORDS.sentinels));
    await follows(group);
    const rig = await QueueRig.start(
      {
        REDIS_URL: group.url,
        REDIS_PASSWORD: 'of servers',
        REDIS_SENTINEL_PASSWORD: 'of sentinels',
      },
      { everyMs: 1_000 },
    );
    await eventually(async () => rig.runs > 0, 15_000);
    expect([rig.queues.fault, rig.lines]).toEqual([null, []]);
    if (end === 'is killed') await group.master.kill();
    else process.kill(group.master.pid, 'SIGSTOP');
    await eventually(async () => rig.queues.fault !== null, 20_000);
    await goesOn(rig);
    expect(rig.lines.filter((line) => line.startsWith('the queues'))).toHaveLength(2);
    const successor = new Redis(group.replica.url, { password: 'of servers' });
    expect((await successor.keys('{weir-one}:*')).length).toBeGreaterThan(0);
    successor.disconnect();
  });

  test('is a fault, said once, while the sentinels are away, want another password or do not know the name', async () => {
    const group = await kept(startSentinelGroup(PASSWORDS.servers, PASSWORDS.sentinels));
    const away = `redis-sentinel://127.0.0.1:${await freePort()}?master=weir`;
    const password = { REDIS_PASSWORD: 'of servers', REDIS_SENTINEL_PASSWORD: 'of sentinels' };
    const faulty: [Record<string, string>, RegExp][] = [
      [{ REDIS_URL: away, ...password }, /sentinels are unreachable.*; check the hosts of the sentinels in REDIS_URL/],
      [
        { REDIS_URL: group.url, ...password, REDIS_SENTINEL_PASSWORD: 'wrong' },
        /sentinel.*(WRONGPASS|NOAUTH).*; set REDIS_SENTINEL_PASSWORD/i,
      ],
      [{ REDIS_URL: group.url.replace('=weir', '=other'), ...password }, /sentinel.*the name after master= in REDIS_URL/i],
      [{ REDIS_URL: group.url, REDIS_SENTINEL_PASSWORD: 'of sentinels' }, /NOAUTH.*; set REDIS_PASSWORD/],
    ];
    const rigs = await Promise.all(faulty.map(([variables]) => QueueRig.start(variables)));
    await eventually(async () => rigs.every(({ lines }) => lines.length > 0), 20_000);
    await delay(WATCHED_MS);
    expect(rigs.map(({ lines }) => lines.length)).toEqual([1, 1, 1, 1]);
    expect(rigs.map(({ queues }) => queues.fault)).toEqual(faulty.map(([, reason]) => expect.stringMatching(reason)));
  });
});

describe('a Redis that is gone', () => {
  test.each(['a server', 'a cluster'])('%s, is told as that all the time, and not as silence', async (kind) => {
    const cluster = kind === 'a cluster' ? await kept(startRedisCluster()) : null;
    const server = cluster ? null : await kept(startRedis());
    const nodes = cluster?.nodes ?? [server!];
    const rig = await QueueRig.start({ REDIS_URL: (cluster ?? server)!.url });
    await eventually(async () => rig.runs > 0, 15_000);
    await Promise.all(nodes.map((node) => node.kill()));
    await eventually(async () => rig.queues.fault !== null, 15_000);
    const reasons = new Set<string | null>();
    for (let i = 0; i < 100; i++) {
      reasons.add(rig.queues.fault);
      await delay(100);
    }
    // The connections that were open are reset; after that none can be made.
    for (const reason of reasons)
      expect(reason).toMatch(
        /(connect ECONNREFUSED .*|read ECONNRESET|write EPIPE); check REDIS_URL and that the server runs|Connection is closed/,
      );
  });
});

test('a connection of a worker that nobody listens to any more writes nothing past the log', async () => {
  const cluster = await kept(startRedisCluster());
  const address = readConfig({ REDIS_URL: cluster.url }, tmpdir()).redis!;
  const { client } = await openRedisStore(address, '{weir-one}', () => {});
  // BullMQ makes one for each worker, and stops listening when it closes it.
  const ofWorker = (client as Cluster).duplicate();
  const said = jest.spyOn(console, 'error').mockImplementation(() => {});
  try {
    await eventually(async () => ofWorker.status === 'ready', 15_000);
    await ofWorker.get('{weir-one}:alive');
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    void ofWorker.get('{weir-one}:alive').catch(() => {});
    await delay(WATCHED_MS);
    expect(said.mock.calls).toEqual([]);
  } finally {
    for (const one of [client, ofWorker]) one.disconnect();
  }
});

describe('with TLS', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'weir-redis-tls-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test('a server whose certificate is our own runs the jobs, shown one by it or not; without its authority it is a fault', async () => {
    const { cert, key } = selfSigned(directory, 'redis', 'IP:127.0.0.1');
    const port = await freePort();
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
    const server = await kept(startRedis({ settings: ['--tls-port', String(port), ...files] }));
    const url = { REDIS_URL: `rediss://127.0.0.1:${port}` };
    const shown = { REDIS_TLS_CERT: cert, REDIS_TLS_KEY: key };
    const works = await QueueRig.start({ ...url, REDIS_TLS_CA: cert, ...shown });
    await eventually(async () => works.runs > 0, 15_000);
    const [stranger, nameless] = [await QueueRig.start({ ...url, ...shown }), await QueueRig.start({ ...url, REDIS_TLS_CA: cert })];
    await eventually(async () => stranger.queues.fault !== null && nameless.lines.length > 0, 15_000);
    expect([works.queues.fault, works.lines]).toEqual([null, []]);
    expect(stranger.queues.fault).toMatch(/self-signed certificate.*; set REDIS_TLS_CA/);
    expect(nameless.queues.fault).toMatch(/set REDIS_TLS_CERT and REDIS_TLS_KEY/);
    const client = new Redis(server.url);
    await client.config('SET', 'tls-auth-clients', 'no');
    client.disconnect();
    await eventually(async () => nameless.queues.fault === null, 15_000);
  });

  test('sentinels and the servers they name run the jobs', async () => {
    const { cert, key } = selfSigned(directory, 'redis', 'IP:127.0.0.1');
    const port = await freePort();
    const files = [`tls-cert-file ${cert}`, `tls-key-file ${key}`, `tls-ca-cert-file ${cert}`];
    const settings = ['--tls-port', String(port), ...files.flatMap((line) => `--${line}`.split(' '))];
    await kept(startRedis({ settings }));
    const linesAt = (own: number) => ['port 0', `tls-port ${own}`, 'tls-replication yes', ...files];
    const sentinels = await kept(startSentinels(port, linesAt));
    const rig = await QueueRig.start({
      REDIS_URL: sentinels.url.replace('redis-', 'rediss-'),
      REDIS_TLS_CA: cert,
      REDIS_TLS_CERT: cert,
      REDIS_TLS_KEY: key,
    });
    await eventually(async () => rig.runs > 0, 15_000);
    expect([rig.queues.fault, rig.lines]).toEqual([null, []]);
  });
});

describe('a user who may do only what is needed', () => {
  const RIGHTS = '-@all +@read +@write +@scripting +@connection +@transaction -@dangerous'.split(' ');

  test('and only to keys of a prefix runs the jobs, also where INFO and CONFIG are forbidden; nothing is written past the log', async () => {
    const user = ['--user', 'weir', 'on', '>word', '~team-a:*', 'resetchannels', ...RIGHTS];
    const server = await kept(startRedis({ settings: ['--maxmemory-policy', 'allkeys-lru', ...user] }));
    const said = jest.spyOn(console, 'warn');
    const url = server.url.replace('//', '//weir@');
    const rig = await QueueRig.start({ REDIS_URL: url, REDIS_PASSWORD: 'word', REDIS_PREFIX: 'team-a:' });
    await eventually(async () => rig.runs > 0, 15_000);
    const client = new Redis(server.url);
    const strays = (await client.keys('*')).filter((key) => !key.startsWith('team-a:{weir-one}:'));
    client.disconnect();
    expect([strays, rig.queues.fault, rig.lines, said.mock.calls]).toEqual([[], null, [], []]);
    const elsewhere = await QueueRig.start({ REDIS_URL: url, REDIS_PASSWORD: 'word' });
    await eventually(async () => /NOPERM/.test(elsewhere.queues.fault ?? ''), 15_000);
  });
});

describe('the memory policy', () => {
  test.each([
    ['allkeys-lru', 1],
    ['volatile-ttl', 1],
    ['noeviction', 0],
  ])('%s is told in %d lines, and the jobs run', async (policy, lines) => {
    const server = await kept(startRedis({ settings: ['--maxmemory-policy', policy] }));
    const said = jest.spyOn(console, 'warn');
    const rig = await QueueRig.start({ REDIS_URL: server.url });
    await eventually(async () => rig.runs > 0, 15_000);
    expect(rig.lines).toEqual(Array.from({ length: lines }, () => expect.stringMatching(new RegExp(`noeviction.*"${policy}"`))));
    expect(said.mock.calls).toEqual([]);
  });
});
