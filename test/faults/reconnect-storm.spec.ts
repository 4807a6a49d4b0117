import { type DurableDatabase, DurablePostgres } from '../support/durable-postgres.js';
import { Random, sizeOf } from '../support/random.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { audit } from './support/audit.js';
import { Load, livelyUpstream } from './support/load.js';
import { Rig } from './support/rig.js';

const GATEWAYS = sizeOf('FAULT_GATEWAYS', 3);
/** Of each gateway: its pools for calls (12) and for configuration (5), and the one that listens. */
const CONNECTIONS_AT_MOST = 18;
const CLIENTS = 48;
/** From Postgres' return until no call is refused any more. By the machine that shares its cores with the tests. */
const RECOVERED_WITHIN_MS = sizeOf('FAULT_RECOVERY_MS', 10_000);

jest.setTimeout(90_000);

let postgres: DurablePostgres;
let database: DurableDatabase;
let rig: Rig;
const proxies: TcpProxy[] = [];

beforeAll(async () => {
  postgres = await DurablePostgres.start();
  database = await postgres.createDatabase();
  rig = await Rig.start(database);
});

afterAll(async () => {
  await rig?.stop();
  for (const proxy of proxies) await proxy.stop();
  await postgres?.stop();
});

test(`${GATEWAYS} gateways under load find Postgres again after it died: none opens more connections than its pools have, and calls are served again`, async () => {
  const random = Random.ofRun('reconnect storm');
  rig.upstream.script = livelyUpstream(random.branch(-1));
  for (let i = 0; i < GATEWAYS; i++) {
    const proxy = await TcpProxy.start(Number(new URL(database.directUrl).port));
    proxies.push(proxy);
    const url = new URL(database.directUrl);
    url.port = String(proxy.port);
    await rig.spawn(`gateway-${i}`, { DATABASE_URL: url.href });
  }
  const load = new Load(rig, random, CLIENTS, [rig.tenant.apiKey]);
  await load.reached(CLIENTS * 4);
  await postgres.kill();
  await load.reached(load.seen.length + CLIENTS * 2);
  await postgres.restart();
  for (const proxy of proxies) proxy.retarget(Number(new URL(database.directUrl).port));
  const backAt = performance.now();
  let refusedLast = backAt;
  for (let known = load.seen.length; performance.now() < refusedLast + 2_000; known = load.seen.length) {
    await load.reached(known + 1);
    if (load.seen.slice(known).some(({ end }) => end === 'refused')) refusedLast = performance.now();
    if (refusedLast - backAt > RECOVERED_WITHIN_MS) break;
  }
  await load.stop();
  process.stderr.write(
    `reconnect storm: recovered in ${Math.round(refusedLast - backAt)} ms; connections at most ${proxies.map(({ peak }) => peak)}; ${load.summary()}\n`,
  );
  expect(refusedLast - backAt).toBeLessThanOrEqual(RECOVERED_WITHIN_MS);
  for (const { peak } of proxies) expect(peak).toBeLessThanOrEqual(CONNECTIONS_AT_MOST);
  expect(load.count('unreached')).toBe(0);
  await rig.settled(15_000);
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen: load.seen })).broken).toEqual([]);
});
