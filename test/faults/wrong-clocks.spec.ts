import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/weir.js';
import { audit } from './support/audit.js';
import { Caller } from './support/caller.js';
import { call, type Seen } from './support/client.js';
import { type Gateway, Rig } from './support/rig.js';
import { answerInSteps } from './support/scripts.js';
import { clockOffBy, clockThatJumps } from './support/wrong-clock.js';

const HOUR_MS = 3_600_000;
const HALF_AN_HOUR_MS = HOUR_MS / 2;

jest.setTimeout(60_000);

let database: TestDatabase;
let rig: Rig;
let caller: Caller;
const keys: Record<string, string> = {};

beforeAll(async () => {
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    {
      async prepare({ projectId }, post) {
        const inHalfAnHour = new Date(Date.now() + HALF_AN_HOUR_MS).toISOString();
        const key = (name: string, fields = {}) =>
          post<{ id: string; value: string }>(`projects/${projectId}/api_keys`, { name, ...fields });
        keys['good for half an hour'] = (await key('good', { expires_at: inHalfAnHour })).value;
        keys['over'] = (await key('over', { expires_at: inHalfAnHour })).value;
        const limited = await key('limited');
        keys['limited'] = limited.value;
        await post('rate_limits', { scope: { kind: 'api_key', value: limited.id }, max_requests_per_1_minute: 4 });
        await post('budgets', { scope: { kind: 'tenant' }, limit: '1000000.00', period: 'hour' });
        // Whoever goes by a clock that is an hour ahead charges a thousand times too much.
        await post('prices', { provider: 'up', model: '*', input: '1000', output: '1000000', effective_at: inHalfAnHour });
      },
    },
  );
  await rig.db.query(`UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE name = 'over'`);
  caller = new Caller(rig, () => rig.gateways[0]!);
});

beforeEach(() => {
  rig.upstream.script = answerInSteps;
});

/** Each entry is in a period that was under way when its call was admitted, and no two periods of a budget overlap. */
afterEach(async () => {
  await rig.settled(15_000);
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen: caller.seen })).broken).toEqual([]);
  const { rows } = await rig.db.query(
    `SELECT count(*)::int AS entries, count(*) FILTER (WHERE e.admitted_at < p.starts_at OR e.admitted_at >= p.ends_at)::int AS misplaced,
       (SELECT count(*)::int FROM budget_periods a JOIN budget_periods b USING (tenant_id, budget_id, scope_value)
        WHERE a.id < b.id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at) AS overlapping
     FROM ledger_entries e JOIN budget_periods p ON p.id = ANY (e.period_ids)`,
  );
  expect(rows[0]).toMatchObject({ misplaced: 0, overlapping: 0 });
  expect(rows[0].entries).toBeGreaterThan(0);
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
});

const callWith = async (key: string, url: string): Promise<Seen> => {
  const result = await call({ url, key: keys[key]!, tag: rig.nextTag(), stream: false });
  caller.seen.push(result);
  return result;
};

const clocks: [string, Record<string, string>, (gateway: Gateway) => void][] = [
  ['an hour ahead', clockOffBy(HOUR_MS), () => {}],
  ['an hour behind', clockOffBy(-HOUR_MS), () => {}],
  ['set ahead by an hour while it runs', clockThatJumps(HOUR_MS), ({ process: { child } }) => child.kill('SIGUSR2')],
  ['set back by an hour while it runs', clockThatJumps(-HOUR_MS), ({ process: { child } }) => child.kill('SIGUSR2')],
];

test.each(clocks)('a gateway whose clock is %s: prices, keys and periods are as they are by Postgres', async (name, environment, jump) => {
  const gateway = await rig.spawn(name.replaceAll(' ', '-'), environment);
  const { url } = gateway;
  const stream = await caller.stream(url!);
  jump(gateway);
  expect(await callWith('good for half an hour', url!)).toMatchObject({ end: 'whole' });
  expect(await callWith('over', url!)).toMatchObject({ status: 401 });
  for (const streamed of [true, false]) expect(await caller.make(streamed, undefined, url!)).toMatchObject({ end: 'whole' });
  stream.goOn();
  expect(await stream.ended).toMatchObject({ end: 'whole' });
  await rig.end(gateway);
  rig.gateways.length = 0;
});

test("Postgres' clock is set back by five seconds: no lease gets shorter, and no minute carries more requests than its limit", async () => {
  const { url } = await rig.spawn('gateway', { WEIR_ROLES: 'gateway,worker' });
  const before = await caller.stream(url!);
  const lease = async () =>
    (await rig.db.query(`SELECT id, sent, lease_until FROM holds WHERE state = 'open' ORDER BY created_at DESC`)).rows;
  const [early] = await lease();
  const allowed = async () => (await callWith('limited', url!)).end === 'whole';
  expect([await allowed(), await allowed()]).toEqual([true, true]);

  await moveClock(rig.db, '-5 seconds');
  expect([await allowed(), await allowed(), await allowed()]).toEqual([true, true, false]);
  const after = await caller.stream(url!);
  // The heartbeat that has seen the later stream has seen the earlier one too.
  await eventually(async () => (await lease()).filter(({ sent }) => sent === true).length === 2, 12_000);
  const later = (await lease()).find(({ id }) => id === early.id)!;
  expect(later.lease_until.getTime()).toBeGreaterThanOrEqual(early.lease_until.getTime());

  await moveClock(rig.db, '0 seconds');
  expect(await allowed()).toBe(false);
  for (const { goOn, ended } of [before, after]) {
    goOn();
    expect(await ended).toMatchObject({ end: 'whole' });
  }
});
