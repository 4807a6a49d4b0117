import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/weir.js';
import { audit, bookedCalls } from './support/audit.js';
import { call, type Seen } from './support/client.js';
import { Rig } from './support/rig.js';
import { answerInSteps, pausedStream } from './support/scripts.js';

/** Budgets whose periods end together. */
const HOURLY = 3;

jest.setTimeout(60_000);

let database: TestDatabase;
let rig: Rig;
const seen: Seen[] = [];

beforeAll(async () => {
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    {
      prepare: async (_tenant, post) => {
        for (let i = 0; i < HOURLY; i++) await post('budgets', { scope: { kind: 'tenant' }, limit: '1000000.00', period: 'hour' });
      },
    },
  );
});

beforeEach(() => {
  rig.upstream.script = answerInSteps;
});

afterEach(async () => {
  await rig.settled(20_000);
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen })).broken).toEqual([]);
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
});

async function make(url: string): Promise<Seen> {
  const result = await call({ url, key: rig.tenant.apiKey, tag: rig.nextTag(), stream: true });
  seen.push(result);
  return result;
}

/** Starts a worker that dies at this point, then one that does not. The spec's is the only worker, so one of the two has to do the work. */
async function dieAt(point: string, work: () => Promise<void>): Promise<void> {
  const doomed = rig.launch('worker', { WEIR_ROLES: 'worker', WEIR_CRASH: point });
  expect(await doomed.process.exited()).toBe('SIGKILL');
  const worker = rig.launch('worker', { WEIR_ROLES: 'worker' });
  await worker.process.ready();
  await work();
  await rig.end(worker);
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
  await rig.forgetSilent();

  await dieAt('reap_sent', () => rig.settled(20_000));
  expect(await bookedCalls(rig.db)).toEqual(
    Array.from({ length: 3 }, () => expect.objectContaining({ status: 'cut', error_code: 'gateway_lost', kinds: ['usage'] })),
  );
});

/** Periods that were closed, or opened, by the events of the outbox: one key per event. */
async function events(kind: 'closed' | 'opened'): Promise<string[]> {
  const { rows } = await rig.db.query<{ period: string }>(`SELECT split_part(dedupe_key, ':', 2) AS period FROM outbox WHERE kind = $1`, [
    `budget.period_${kind}`,
  ]);
  return rows.map(({ period }) => period);
}

test.each([
  ['roll_sent', '3 hours'],
  ['rolled', '6 hours'],
  ['rolled:2', '9 hours'],
])('a worker killed at %s: each period closes once and opens once', async (point, later) => {
  const gateway = await rig.spawn('gateway');
  expect(await make(gateway.url!)).toMatchObject({ end: 'whole' });
  await rig.settled();
  await rig.end(gateway);
  const closedBefore = (await events('closed')).length;
  await moveClock(rig.db, later);
  await dieAt(point, () => eventually(async () => (await events('closed')).length >= closedBefore + HOURLY, 20_000));

  const [closed, opened] = [await events('closed'), await events('opened')];
  expect(new Set(closed).size).toBe(closed.length);
  expect(new Set(opened).size).toBe(opened.length);
  expect(opened).toHaveLength(closed.length + 1 + HOURLY); // the month, and the hour that is now
});
