import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import type { JobResult } from '../../src/platform/queue/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { QueueRig } from '../support/queue-rig.js';
import { startRedis, startRedisCluster, type TestRedis, testsWithRedis } from '../support/redis.js';
import { eventually, startTestWeir, type TestWeir } from '../support/weir.js';

jest.setTimeout(60_000);

const WATCHED_MS = 2_000;

const withRedis = testsWithRedis();

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(() => database.drop());

const servers: TestRedis[] = [];

afterEach(async () => {
  await QueueRig.stopAll();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const rigOn = (redisUrl: string | null, answer?: JobResult, installation?: string, queue?: string) =>
  QueueRig.start(redisUrl === null ? null : { REDIS_URL: redisUrl }, {
    databaseUrl: database.url,
    ...(answer && { answer }),
    ...(installation && { installation }),
    ...(queue && { queue }),
  });

async function redisWith(...settings: string[]): Promise<TestRedis> {
  const server = await startRedis({ settings });
  servers.push(server);
  return server;
}

const watch = () => new Promise((resolve) => setTimeout(resolve, WATCHED_MS));

describe.each(['Postgres', 'Redis'])('with queues in %s', (backend) => {
  const place = async () => (backend === 'Redis' ? (await redisWith()).url : null);

  (backend === 'Redis' ? withRedis.test : test)(
    'a job that always asks to run at once runs once a second at most; one that says there is work left, ten times',
    async () => {
      const url = await place();
      const [idle, busy] = [await rigOn(url, { againInMs: 0 }), await rigOn(url, { againInMs: 0, workLeft: true }, 'two', 'busy')];
      await eventually(async () => idle.runs > 0 && busy.runs > 2, 10_000);
      const before = [idle.runs, busy.runs];
      await watch();
      expect(idle.runs - before[0]!).toBeLessThanOrEqual(Math.ceil(WATCHED_MS / 1_000) + 1);
      expect(busy.runs - before[1]!).toBeLessThanOrEqual(Math.ceil(WATCHED_MS / 100) + 1);
    },
  );
});

withRedis.test('a Redis cluster runs the jobs, and nothing is logged', async () => {
  const cluster = await startRedisCluster();
  const rig = await rigOn(cluster.url, { againInMs: 0 });
  await eventually(async () => rig.runs > 1, 15_000);
  expect([rig.queues.fault, rig.lines]).toEqual([null, []]);
  await rig.queues.stop();
  await cluster.stop();
});

withRedis.test('a cluster is found by any of several hosts that answers', async () => {
  const cluster = await startRedisCluster();
  const rig = await rigOn(`redis://127.0.0.1:${await freePort()},${cluster.url.slice('redis://'.length)}`);
  await eventually(async () => rig.runs > 0, 20_000);
  expect([rig.queues.fault, rig.lines]).toEqual([null, []]);
  await rig.queues.stop();
  await cluster.stop();
});

withRedis.test.each([
  ['cluster|slots', /MOVED.*may not ask for the others: give the user/],
  ['cluster|info', null],
])('a cluster that forbids its user %s is told for what it is, and never as silence', async (command, reason) => {
  const cluster = await startRedisCluster();
  for (const { url } of cluster.nodes) {
    const client = new Redis(url);
    await client.call('ACL', 'SETUSER', 'few', 'on', '>word', '~*', '&*', '+@all', `-${command}`);
    client.disconnect();
  }
  const rigs = await Promise.all(cluster.nodes.map(({ url }) => rigOn(url.replace('//', '//few:word@'))));
  if (reason) await eventually(async () => rigs.some(({ queues }) => reason.test(queues.fault ?? '')), 20_000);
  else await eventually(async () => rigs.some(({ runs }) => runs > 0) && rigs.every(({ queues }) => queues.fault === null), 20_000);
  expect(rigs.flatMap(({ lines }) => lines).filter((line) => line.includes('did not answer'))).toEqual([]);
  await QueueRig.stopAll();
  await cluster.stop();
});

withRedis.test('a node of a cluster that does not know the user is told for what it is', async () => {
  const cluster = await startRedisCluster();
  const client = new Redis(cluster.url);
  await client.call('ACL', 'SETUSER', 'weir', 'on', '>word', '~*', '&*', '+@all');
  client.disconnect();
  const rigs = await Promise.all(
    ['one', 'two', 'three', 'four', 'five', 'six'].map((installation) =>
      QueueRig.start({ REDIS_URL: cluster.url.replace('//', '//weir:word@') }, { installation }),
    ),
  );
  await eventually(async () => rigs.some(({ queues }) => /WRONGPASS.*; check REDIS_PASSWORD/.test(queues.fault ?? '')), 20_000);
  expect(rigs.flatMap(({ lines }) => lines).filter((line) => line.includes('did not answer'))).toEqual([]);
  await QueueRig.stopAll();
  await cluster.stop();
});

withRedis.test('one server in cluster mode, as managed ones are, runs the jobs', async () => {
  const server = await redisWith('--cluster-enabled', 'yes');
  const client = new Redis(server.url);
  await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await eventually(async () => ((await client.call('CLUSTER', 'INFO')) as string).includes('cluster_state:ok'), 15_000);
  client.disconnect();
  const rig = await rigOn(server.url);
  await eventually(async () => rig.runs > 0, 15_000);
  expect([rig.queues.fault, rig.lines]).toEqual([null, []]);
});

/** A Redis that cannot work as it is set up, and what sets it right; null: nothing does. */
interface Refusing {
  name: string;
  settings?: string[];
  url?: (url: string) => string;
  reason: RegExp;
  repair: ((client: Redis) => Promise<unknown>) | null;
  /** A job that is there before anything is refused may run. */
  mayRun?: boolean;
}

const REFUSING: Refusing[] = [
  {
    name: 'wants a password and gets none (NOAUTH)',
    settings: ['--requirepass', 'right'],
    reason: /NOAUTH.*; set REDIS_PASSWORD/,
    repair: (client) => client.config('SET', 'requirepass', ''),
  },
  {
    name: 'is given a wrong password (WRONGPASS)',
    settings: ['--requirepass', 'right'],
    url: (url) => url.replace('//', '//:wrong@'),
    reason: /WRONGPASS.*; check REDIS_PASSWORD, or user and password in REDIS_URL/,
    repair: (client) => client.config('SET', 'requirepass', 'wrong'),
  },
  {
    name: 'lets its user write nothing (NOPERM)',
    settings: ['--user', 'reader', 'on', '>word', '~*', '+@read', '+info', '+client', '--user', 'default', 'on', 'nopass', '~*', '+@all'],
    url: (url) => url.replace('//', '//reader:word@'),
    reason: /(NOPERM|permissions).*; give the user of REDIS_URL the rights/,
    repair: (client) => client.call('ACL', 'SETUSER', 'reader', '&*', '+@all'),
  },
  {
    name: 'is a replica (READONLY)',
    settings: ['--replicaof', '127.0.0.1', '1'],
    reason: /READONLY.*REDIS_URL leads to a replica/,
    repair: (client) => client.call('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'is a replica without its master (MASTERDOWN)',
    settings: ['--replicaof', '127.0.0.1', '1', '--replica-serve-stale-data', 'no', '--replica-read-only', 'no'],
    reason: /MASTERDOWN.*REDIS_URL leads to a replica/,
    repair: (client) => client.call('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'is full (OOM)',
    settings: ['--maxmemory', '1'],
    reason: /OOM.*more memory/,
    repair: (client) => client.config('SET', 'maxmemory', '0'),
  },
  {
    name: 'speaks no TLS',
    url: (url) => url.replace('redis:', 'rediss:'),
    reason: /REDIS_URL.*(without TLS it is redis:|begin REDIS_URL with redis:)/,
    repair: null,
  },
  { name: 'has fewer databases', url: (url) => `${url}/99`, reason: /leave the number of the database out of REDIS_URL/, repair: null },
  { name: 'is no cluster', url: (url) => `${url},127.0.0.1:1`, reason: /is no cluster; name one host in REDIS_URL/, repair: null },
  {
    name: 'lets its user use other keys only (NOPERM)',
    settings: ['--user', 'other', 'on', '>word', '~other:*', '&*', '+@all'],
    url: (url) => url.replace('//', '//other:word@'),
    reason: /(NOPERM|permissions).*; allow its user all keys that begin with REDIS_PREFIX/,
    repair: (client) => client.call('ACL', 'SETUSER', 'other', '~*'),
  },
  ...['+eval +evalsha', '+bzpopmin', '+set', '+zadd'].map((rights): Refusing => {
    const taken = rights.replaceAll('+', '-').split(' ');
    return {
      name: `forbids its user ${taken.join(' ')} (NOPERM)`,
      settings: ['--user', 'few', 'on', '>word', '~*', '&*', '+@all', ...taken],
      url: (url) => url.replace('//', '//few:word@'),
      reason: /(NOPERM|permissions|can't run this command).*; give the user of REDIS_URL the rights/,
      repair: null,
      mayRun: rights === '+bzpopmin', // only a worker that finds no job waits with it
    };
  }),
];

async function refuses({ settings = [], url, reason, repair, mayRun = false }: Refusing): Promise<void> {
  const server = await redisWith(...settings);
  const rig = await rigOn(url ? url(server.url) : server.url);
  await eventually(async () => reason.test(rig.queues.fault ?? '') && rig.lines.length > 0, 15_000);
  await watch();
  expect(rig.lines).toHaveLength(1);
  expect(rig.queues.fault).toMatch(reason);
  expect(rig.runs).toBeLessThanOrEqual(mayRun ? 1 : 0);
  if (!repair) return;

  const client = new Redis(server.url, { password: settings.includes('--requirepass') ? 'right' : undefined });
  await repair(client);
  client.disconnect();
  await eventually(async () => rig.runs > 0 && rig.queues.fault === null, 15_000);
  expect(rig.lines).toHaveLength(2);
}

withRedis.test(
  'a Redis that refuses, for whatever reason, is a fault that says why, is logged once, and works once it is set right',
  async () => {
    const ends = await Promise.allSettled(REFUSING.map(refuses));
    const failed = ends.flatMap((end, index) => (end.status === 'rejected' ? [`${REFUSING[index]!.name}: ${end.reason}`] : []));
    expect(failed).toEqual([]);
  },
);

withRedis.test('one that begins to refuse while jobs run stops the workers, is said once, and goes on afterwards', async () => {
  const server = await redisWith();
  const rig = await rigOn(server.url, { againInMs: 0, workLeft: true });
  await eventually(async () => rig.runs > 0);
  const client = new Redis(server.url);
  await client.call('REPLICAOF', '127.0.0.1', '1');
  await eventually(async () => /READONLY/.test(rig.queues.fault ?? ''), 15_000);
  await watch();
  expect(rig.lines.length).toBeLessThanOrEqual(2);
  const before = rig.runs;
  await client.call('REPLICAOF', 'NO', 'ONE');
  client.disconnect();
  await eventually(async () => rig.runs > before && rig.queues.fault === null, 15_000);
});

withRedis.test(
  'a Redis that is not there, has an unknown name, or closes each connection, as one that wants TLS does, is said once',
  async () => {
    const closing = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(closing, 'listening');
    const urls = [
      `redis://127.0.0.1:${await freePort()}`,
      'redis://no-such-host.invalid:6379',
      `redis://127.0.0.1:${(closing.address() as AddressInfo).port}`,
    ];
    const unreachable = await Promise.all(urls.map((url) => rigOn(url)));
    await eventually(async () => unreachable.every(({ lines }) => lines.length > 0), 15_000);
    await watch();
    expect(unreachable.map(({ lines }) => lines.length)).toEqual([1, 1, 1]);
    expect(unreachable.map(({ queues }) => queues.fault)).toEqual([
      expect.stringMatching(/ECONNREFUSED.*; check REDIS_URL and that the server runs/),
      expect.stringMatching(/(ENOTFOUND|EAI_AGAIN).*; check REDIS_URL/),
      expect.stringMatching(/; check REDIS_URL.*with TLS it is rediss:/),
    ]);
    closing.close();
  },
);

withRedis.test('a job that fails again and again is said once, and once more when it works', async () => {
  const server = await redisWith();
  const rig = await QueueRig.start({ REDIS_URL: server.url }, { everyMs: 200, failures: 5 });
  await eventually(async () => rig.lines.length > 1, 15_000);
  expect(rig.runs).toBeGreaterThan(5);
  expect(rig.lines).toEqual([
    expect.stringMatching(/^the job attack failed .*"reason":"the run failed"/),
    expect.stringMatching(/^the job attack works again/),
  ]);
});

withRedis.describe('two installations on one Redis', () => {
  let weirs: TestWeir[] = [];

  afterEach(() => Promise.all(weirs.map((weir) => weir.stop())));

  test('keep their jobs apart, and each looks for ended periods on its schedule only, though it has no budget', async () => {
    const server = await redisWith();
    weirs = await Promise.all([startTestWeir({ REDIS_URL: server.url }), startTestWeir({ REDIS_URL: server.url })]);
    const client = new Redis(server.url);
    await eventually(async () => (await client.keys('*:reap-holds:repeat')).length === 2, 10_000);
    client.disconnect();
    const runs = async () => {
      const metrics = await Promise.all(weirs.map(async ({ adminUrl }) => (await fetch(`${adminUrl}/metrics`)).text()));
      return metrics.map((text) => Number(/weir_jobs_total\{queue="open-periods",result="completed"\} (\d+)/.exec(text)?.[1] ?? 0));
    };
    await eventually(async () => (await runs()).every((count) => count > 0), 10_000);
    const before = await runs();
    await watch();
    const after = await runs();
    expect(after.map((count, index) => count - before[index]!).every((count) => count <= 1)).toBe(true);
  });
});

withRedis.test('a process whose queues cannot work is not ready and says which part', async () => {
  const server = await redisWith('--requirepass', 'right');
  const weir = await startTestWeir({ REDIS_URL: server.url });
  const ready = async () =>
    (await fetch(`${weir.adminUrl}/readyz`)).json() as Promise<{ status: string; failing?: { part: string; reason: string }[] }>;
  await eventually(async () => (await ready()).failing?.[0]?.reason.includes('NOAUTH') === true);
  expect(await ready()).toMatchObject({ status: 'queues_unavailable', failing: [{ part: 'queues' }] });
  const client = new Redis(server.url, { password: 'right' });
  await client.config('SET', 'requirepass', '');
  client.disconnect();
  await eventually(async () => (await ready()).status === 'ready', 15_000);
  await weir.stop();
});
