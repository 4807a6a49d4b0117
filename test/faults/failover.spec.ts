import { type DurableDatabase, DurablePostgres } from '../support/durable-postgres.js';
import { Random, sizeOf } from '../support/random.js';
import { eventually } from '../support/weir.js';
import { audit, bookedCalls, costOf } from './support/audit.js';
import { Caller } from './support/caller.js';
import { Load, livelyUpstream } from './support/load.js';
import { Rig } from './support/rig.js';
import { answerInSteps, STEPS_USAGE } from './support/scripts.js';

/** Calls before and after the failover, each. */
const CALLS = sizeOf('FAULT_CALLS', 150);

jest.setTimeout(90_000);

let postgres: DurablePostgres;
let database: DurableDatabase;
let rig: Rig;

beforeAll(async () => {
  postgres = await DurablePostgres.start();
  database = await postgres.createDatabase();
  rig = await Rig.start(database);
  await postgres.addReplica();
});

afterAll(async () => {
  await rig?.stop();
  await postgres?.stop();
});

test('Postgres dies under load and its synchronous replica takes over: nothing is lost, a stream in flight ends whole, and calls are served again', async () => {
  const gateway = await rig.spawn('gateway');
  const caller = new Caller(rig, () => gateway);
  rig.upstream.script = answerInSteps;
  const stream = await caller.stream();
  const random = Random.ofRun('failover');
  rig.upstream.script = livelyUpstream(random.branch(-1));
  const load = new Load(rig, random, 8, [rig.tenant.apiKey]);
  await load.reached(CALLS);
  await postgres.failOver();
  stream.goOn();
  expect(await stream.ended).toMatchObject({ end: 'whole' });
  const served = load.count('whole');
  await eventually(async () => load.count('whole') > served, 10_000);
  await load.reached(load.seen.length + CALLS);
  await load.stop();
  process.stderr.write(`failover: ${load.summary()}\n`);
  expect(load.count('unreached')).toBe(0);

  await rig.settled(15_000);
  const { tag } = await stream.ended;
  const booked = (await bookedCalls(rig.db)).filter((one) => one.tag === tag);
  expect(booked).toMatchObject([{ status: 'completed', kinds: ['usage'], amount: costOf(STEPS_USAGE) }]);
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen: [...load.seen, ...caller.seen] })).broken).toEqual([]);
});
