import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { Random, sizeOf } from '../support/random.js';
import { startRedis, type TestRedis, testsWithRedis } from '../support/redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { eventually } from '../support/weir.js';
import { audit } from './support/audit.js';
import { Load, livelyUpstream } from './support/load.js';
import { Rig } from './support/rig.js';

const CALLS = sizeOf('FAULT_CALLS', 150);
const { test } = testsWithRedis();

jest.setTimeout(90_000);

let database: TestDatabase;
let redis: TestRedis;
/** The way of the product to Redis, the same for whichever Redis is behind it. */
let proxy: TcpProxy;
let rig: Rig;

beforeEach(async () => {
  redis = await startRedis();
  proxy = await TcpProxy.start(Number(new URL(redis.url).port));
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    {
      environment: { REDIS_URL: `redis://${proxy.hostPort}` },
      prepare: async (_tenant, post) => void (await post('budgets', { scope: { kind: 'tenant' }, limit: '1000000.00', period: 'hour' })),
    },
  );
  rig.upstream.script = livelyUpstream(Random.ofRun('redis'));
});

afterEach(async () => {
  await rig.stop();
  await rig.db.end();
  await database.drop();
  await proxy.stop();
  await redis.stop();
});

/** Makes many calls while something happens to Redis, and looks at them and at the ledger. */
async function callsGoOn(during: (load: Load) => Promise<void>): Promise<void> {
  const load = new Load(rig, Random.ofRun('redis load'), 8, [rig.tenant.apiKey]);
  await load.reached(CALLS / 3);
  await during(load);
  await load.reached(CALLS);
  await load.stop();
  expect(load.seen.filter(({ end }) => end !== 'whole' && end !== 'left')).toEqual([]);
  await rig.settled();
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen: load.seen })).broken).toEqual([]);
}

/** How often the hourly budget's periods were closed, and any period opened, according to the events of the outbox. */
async function rolls(): Promise<{ closed: number; opened: number }> {
  const { rows } = await rig.db.query<{ closed: bigint; opened: bigint }>(
    `SELECT count(*) FILTER (WHERE kind = 'budget.period_closed') AS closed, count(*) FILTER (WHERE kind = 'budget.period_opened') AS opened FROM outbox`,
  );
  return { closed: Number(rows[0]!.closed), opened: Number(rows[0]!.opened) };
}

/** Both budgets' first periods, and one more of the hourly one. */
const ROLLED_ONCE = { closed: 1, opened: 3 };

test('Redis away before the start and all the time: no call fails; once Redis is there what was missed is made up for, once', async () => {
  await proxy.set({ kind: 'refuse' });
  const gateway = await rig.spawn('gateway', { WEIR_ROLES: 'gateway,worker' });
  await callsGoOn(async () => {});
  await moveClock(rig.db, '1 hour');

  await proxy.set({ kind: 'pass' });
  await eventually(async () => (await rolls()).opened >= ROLLED_ONCE.opened, 20_000);
  expect(await rolls()).toEqual(ROLLED_ONCE);
  await rig.end(gateway);
});

test('a process ends in order while Redis is away', async () => {
  await proxy.set({ kind: 'refuse' });
  await rig.end(await rig.spawn('gateway', { WEIR_ROLES: 'gateway,worker' }));
});

test('Redis frozen during the run: no call fails', async () => {
  const { pid } = redis;
  await rig.spawn('gateway', { WEIR_ROLES: 'gateway,worker' });
  await callsGoOn(async (load) => {
    process.kill(pid, 'SIGSTOP');
    await load.reached((CALLS * 2) / 3);
    process.kill(pid, 'SIGCONT');
  });
});

test('Redis killed during the run, back with nothing in it: no call fails, and each period closes and opens once', async () => {
  await rig.spawn('gateway', { WEIR_ROLES: 'gateway,worker' });
  await callsGoOn(async (load) => {
    await redis.stop();
    await load.reached((CALLS * 2) / 3);
    redis = await startRedis();
    proxy.retarget(Number(new URL(redis.url).port));
  });
  await moveClock(rig.db, '1 hour');
  await eventually(async () => (await rolls()).opened >= ROLLED_ONCE.opened, 20_000);
  expect(await rolls()).toEqual(ROLLED_ONCE);
});
