import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/weir.js';
import { audit, bookedCalls } from './support/audit.js';
import { call, type Seen } from './support/client.js';
import { Rig } from './support/rig.js';
import { answerInSteps, pausedStream } from './support/scripts.js';

jest.setTimeout(60_000);

let database: TestDatabase;
let rig: Rig;
const seen: Seen[] = [];

beforeEach(async () => {
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    { prepare: async (_tenant, post) => void (await post('budgets', { scope: { kind: 'tenant' }, limit: '1000000.00', period: 'hour' })) },
  );
  rig.upstream.script = answerInSteps;
  seen.length = 0;
});

afterEach(async () => {
  await rig.settled(20_000);
  const { broken } = await audit(rig.db, { upstream: rig.upstream.calls, seen });
  await rig.stop();
  await rig.db.end();
  await database.drop();
  expect(broken).toEqual([]);
});

async function make(url: string, onData?: () => void): Promise<Seen> {
  const result = await call({ url, key: rig.tenant.apiKey, tag: rig.nextTag(), stream: true, onData });
  seen.push(result);
  return result;
}

/** Starts a worker that dies at this point, then one that does not. */
async function dieAt(point: string): Promise<void> {
  const doomed = rig.launch('worker', { WEIR_ROLES: 'worker', WEIR_CRASH: point });
  expect(await doomed.process.exited()).toBe('SIGKILL');
  await rig.spawn('worker', { WEIR_ROLES: 'worker' });
}

test('a worker killed while it reaps: the holds of a dead gateway are resolved once', async () => {
  const { script } = pausedStream();
  rig.upstream.script = script;
  const lost = await rig.spawn('lost');
  const calls = [0, 1, 2].map(() => make(lost.url!));
  await rig.upstream.received(3);
  await rig.kill(lost);
  await Promise.all(calls);
  await moveClock(rig.db, '1 minute');

  await dieAt('reap_sent');
  await rig.settled(20_000);
  expect(await bookedCalls(rig.db)).toEqual(
    Array.from({ length: 3 }, () => expect.objectContaining({ status: 'cut', error_code: 'gateway_lost', kinds: ['usage'] })),
  );
});

test.each(['roll_sent', 'rolled', 'rolled:2'])('a worker killed at %s: each period closes once and opens once', async (point) => {
  const gateway = await rig.spawn('gateway');
  await make(gateway.url!);
  await moveClock(rig.db, '3 hours');
  await dieAt(point);

  // Three hours are over since the call, one after the other.
  await eventually(async () => (await closings()).length >= 3, 20_000);
  const kept = await closings();
  expect(kept).toHaveLength(3);
  expect(new Set(kept).size).toBe(3);
  await make(gateway.url!);
  const { rows } = await rig.db.query(`SELECT kind, dedupe_key FROM outbox WHERE kind = 'budget.period_opened'`);
  expect(rows).toHaveLength(2 + 3); // the month, the first hour, and three more
});

const closings = async (): Promise<string[]> =>
  (
    await rig.db.query<{ dedupe_key: string }>(`SELECT dedupe_key FROM outbox WHERE kind = 'budget.period_closed' ORDER BY dedupe_key`)
  ).rows.map((row) => row.dedupe_key);
