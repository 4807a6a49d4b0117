import { parsePublicId } from '../../src/kernel/ids.js';
import { sqlFunction } from '../../src/platform/postgres/index.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { startRedis, type TestRedis, testsWithRedis } from '../support/redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { json } from '../support/upstream.js';
import { eventually } from '../support/weir.js';
import { Rig } from './support/rig.js';

jest.setTimeout(60_000);

const { test } = testsWithRedis();

let database: TestDatabase;
let redis: TestRedis;
let proxy: TcpProxy;
let rig: Rig;
let hostPort: string;

beforeAll(async () => {
  redis = await startRedis();
  proxy = await TcpProxy.start(redis.port);
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    {
      environment: { REDIS_URL: `redis://${proxy.hostPort}` },
      upstreamAt: async (upstream) => (hostPort = upstream.hostPort),
      prepare: async (_tenant, post) => void (await post('webhooks', { name: 'all', url: `http://${hostPort}/hook` })),
    },
  );
  rig.upstream.script = json(204, '');
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
  await proxy?.stop();
  await redis?.stop();
});

const emit = (key: string) =>
  rig.db.query(`SELECT ${sqlFunction('emit_event')}($1, 'key.revoked', $2, '{}')`, [parsePublicId('tenant', rig.tenant.id), key]);
const states = async () => (await rig.db.query<{ state: string }>('SELECT state FROM webhook_deliveries')).rows.map(({ state }) => state);
const sent = () => rig.upstream.calls.map(({ headers }) => headers['webhook-id']);

test('a worker that is killed after it sent and before it said so: the next sends it again, with the same id', async () => {
  await emit('killed');
  const doomed = rig.launch('worker', { WEIR_ROLES: 'worker', WEIR_CRASH: 'webhook_sent' });
  expect(await doomed.process.exited()).toBe('SIGKILL');
  expect([await states(), sent().length]).toEqual([['pending'], 1]);

  await moveClock(rig.db, '61 seconds');
  await rig.launch('worker', { WEIR_ROLES: 'worker' }).process.ready();
  await eventually(async () => (await states())[0] === 'delivered', 20_000);
  expect(sent()).toEqual([sent()[0], sent()[0]]);
});

test('Redis is lost with all that was in it, and what happened meanwhile is told, once each', async () => {
  await redis.kill();
  for (let made = 0; made < 5; made++) await emit(`lost ${made}`);
  redis = await startRedis();
  proxy.retarget(redis.port);
  await eventually(async () => (await states()).filter((state) => state === 'delivered').length === 6, 20_000);
  expect([rig.upstream.calls.length, new Set(sent()).size]).toEqual([7, 6]);
});
