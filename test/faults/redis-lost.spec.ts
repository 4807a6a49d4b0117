import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { Random, sizeOf } from '../support/random.js';
import { type RedisOptions, startRedis, type TestRedis, testsWithRedis } from '../support/redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { eventually } from '../support/weir.js';
import { audit } from './support/audit.js';
import { Load, livelyUpstream } from './support/load.js';
import { Rig } from './support/rig.js';
import { clockOffBy } from './support/wrong-clock.js';

/** Calls per way of losing what Redis held. */
const CALLS = sizeOf('FAULT_CALLS', 60);
/** What a worker does by the clock: audit, deliver webhooks, erase tenants, keep partitions, open periods, probe the local model, reap holds, tell of keys,
 * tidy approvals. */
const JOBS = 10;
const WORKING = { WEIR_ROLES: 'gateway,worker' };
const TEN_MINUTES_MS = 600_000;

jest.setTimeout(90_000);

const { test } = testsWithRedis();

let database: TestDatabase;
let redis: TestRedis;
/** The way of the product to Redis, the same for whichever Redis is behind it. */
let proxy: TcpProxy;
let rig: Rig;
let random: Random;
let hours = 0;
const seen: Load['seen'] = [];
/** Where Redis keeps its data, and where a snapshot of it is kept. */
const directory = mkdtempSync(join(tmpdir(), 'weir-redis-'));
const snapshot = join(directory, 'before.rdb');

beforeAll(async () => {
  chmodSync(directory, 0o755);
  redis = await startRedis({ directory });
  random = Random.ofRun('redis lost');
  proxy = await TcpProxy.start(redis.port);
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    {
      environment: { REDIS_URL: `redis://${proxy.hostPort}` },
      prepare: async (_tenant, post) => void (await post('budgets', { scope: { kind: 'tenant' }, limit: '1000000.00', period: 'hour' })),
    },
  );
  rig.upstream.script = livelyUpstream(random.branch(-1));
  await takeSnapshotTenMinutesAgo();
  await rig.spawn('gateway', WORKING);
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
  await proxy?.stop();
  await redis?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function command(...words: [string, ...string[]]): Promise<unknown> {
  const client = new Redis(redis.url);
  try {
    return await client.call(...words);
  } finally {
    client.disconnect();
  }
}

/** What a worker of ten minutes ago had in Redis: its wall clock is what BullMQ goes by. */
async function takeSnapshotTenMinutesAgo(): Promise<void> {
  const before = await rig.spawn('before', { ...WORKING, ...clockOffBy(-TEN_MINUTES_MS) });
  await eventually(async () => (await schedules()).length === JOBS);
  await command('SAVE');
  copyFileSync(join(directory, 'dump.rdb'), snapshot);
  await rig.end(before);
  rig.gateways.length = 0;
}

const schedules = async (): Promise<string[]> => (await command('KEYS', '*:repeat')) as string[];

/** How often a period of the hourly budget was closed, or any was opened, by the events of the outbox and by the rows themselves. */
async function rolls() {
  const { rows } = await rig.db.query(
    `SELECT (SELECT count(*)::int FROM outbox WHERE kind = 'budget.period_closed') AS closed,
       (SELECT count(DISTINCT split_part(dedupe_key, ':', 2))::int FROM outbox WHERE kind = 'budget.period_closed') AS closed_once,
       (SELECT count(*)::int FROM outbox WHERE kind = 'budget.period_opened') AS opened,
       (SELECT count(*)::int FROM budget_periods WHERE closed_at IS NOT NULL) AS closed_rows,
       (SELECT count(*)::int FROM ledger_entries WHERE kind = 'manual') AS resets`,
  );
  return rows[0];
}

/** The month and the hour that is now are open; each hour before was closed once. */
const everyHourOnce = () => ({ closed: hours, closed_once: hours, opened: hours + 2, closed_rows: hours, resets: 0 });

/** The ledger's clock goes on by an hour, and scheduled work has to notice by itself. */
async function nextHour(): Promise<void> {
  hours++;
  await moveClock(rig.db, `${hours} hours`);
  await rolled();
}

async function rolled(): Promise<void> {
  await eventually(async () => (await rolls()).opened >= hours + 2, 20_000);
  expect(await rolls()).toEqual(everyHourOnce());
}

async function again(options: RedisOptions): Promise<void> {
  redis = await startRedis(options);
  proxy.retarget(redis.port);
}

/** With `before` Redis is prepared while it is well; `lose` takes away what it held. */
const ways: [string, { before?: () => Promise<unknown>; lose: () => Promise<unknown> }][] = [
  ['flushed', { lose: () => command('FLUSHALL') }],
  [
    'killed and back with nothing',
    {
      lose: async () => {
        await redis.kill();
        for (const name of readdirSync(directory)) if (name !== 'before.rdb') rmSync(join(directory, name), { recursive: true });
        await again({ directory });
      },
    },
  ],
  [
    'killed and back with what it had appended to its file',
    {
      before: () => command('CONFIG', 'SET', 'appendonly', 'yes'),
      lose: async () => {
        await redis.kill();
        await again({ directory, appendOnly: true });
      },
    },
  ],
  [
    'rolled back ten minutes',
    {
      lose: async () => {
        await redis.kill();
        for (const name of readdirSync(directory)) if (name !== 'before.rdb') rmSync(join(directory, name), { recursive: true });
        copyFileSync(snapshot, join(directory, 'dump.rdb'));
        await again({ directory });
        expect(await schedules()).toHaveLength(JOBS);
      },
    },
  ],
];

test.each(ways)(
  'Redis %s: no call fails, money is as it was, jobs are made again, and no period is opened or reset twice',
  async (_, way) => {
    await way.before?.();
    const load = new Load(rig, random.branch(hours), 8, [rig.tenant.apiKey]);
    await load.reached(CALLS / 2);
    await way.lose();
    await load.reached(CALLS);
    await load.stop();
    seen.push(...load.seen);
    expect(load.seen.filter(({ end }) => end !== 'whole' && end !== 'left')).toEqual([]);
    expect(await rolls()).toEqual(everyHourOnce());

    await nextHour();
    expect(await schedules()).toHaveLength(JOBS);
    await rig.settled();
    expect((await audit(rig.db, { upstream: rig.upstream.calls, seen })).broken).toEqual([]);
  },
);
