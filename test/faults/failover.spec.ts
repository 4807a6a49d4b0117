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

async function start(replica: { synchronous: boolean }): Promise<void> {
  postgres = await DurablePostgres.start();
  database = await postgres.createDatabase();
  rig = await Rig.start(database);
  await postgres.addReplica(replica);
}

afterEach(async () => {
  await rig?.stop();
  await postgres?.stop();
});

test('Postgres dies under load and its synchronous replica takes over: nothing is lost, a stream in flight ends whole, and calls are served again', async () => {
  await start({ synchronous: true });
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

test('a replica that follows asynchronously takes over without the last calls: those that a gateway or its journal still knows are booked once, only those that had ended are lost', async () => {
  await start({ synchronous: false });
  const [gateway, doomed] = [await rig.spawn('gateway'), await rig.spawn('doomed')];
  const caller = new Caller(rig, () => gateway);
  rig.upstream.script = answerInSteps;
  const [held, estimated] = [await caller.stream(), await caller.stream()];
  await postgres.cutReplica();

  const before = caller.seen.length;
  estimated.goOn();
  const { tag: estimatedTag } = await estimated.ended;
  for (let i = 0; i < 5; i++) await caller.make(i % 2 === 0);
  const unheld = [await caller.stream(), await caller.whole(), await caller.stream(doomed.url!)];
  const lost = caller.seen.slice(before).flatMap(({ tag, end }) => (end === 'whole' && tag !== estimatedTag ? [tag] : []));
  expect(lost.length).toBeGreaterThanOrEqual(5);

  // One answer ends while Postgres does not respond, and its gateway is killed: the journal has it.
  postgres.freeze();
  unheld[2]!.goOn();
  expect(await unheld[2]!.ended).toMatchObject({ end: 'whole' });
  await rig.kill(doomed);
  postgres.thaw();
  await postgres.failOver();
  for (const call of [held, ...unheld]) call.goOn();
  for (const call of [held, ...unheld]) expect(await call.ended).toMatchObject({ end: 'whole' });
  await rig.restart(doomed);
  await caller.served(10_000);

  // What ended before the failover, and whose hold is here, is an estimate once its lease is over.
  await rig.db.query(`UPDATE holds SET lease_until = '-infinity' WHERE state = 'open'`);
  await rig.spawn('reaper');
  await rig.settled(15_000);
  const booked = new Map((await bookedCalls(rig.db)).map((one) => [one.tag, one]));
  const kindsOf = async ({ ended }: typeof held) => booked.get((await ended).tag);
  const whole = { status: 'completed', amount: costOf(STEPS_USAGE) };
  expect(await kindsOf(held)).toMatchObject({ ...whole, kinds: ['usage'] });
  for (const call of unheld) expect(await kindsOf(call)).toMatchObject({ ...whole, kinds: ['overrun', 'usage'] });
  expect(booked.get(estimatedTag)).toMatchObject({ estimated: true, kinds: ['usage'] });
  expect(lost.filter((tag) => booked.has(tag))).toEqual([]);
  const known = ({ tag }: { tag: number }) => !lost.includes(tag);
  const upstream = rig.upstream.calls.filter(({ body }) => known({ tag: body.max_tokens! }));
  const seen = caller.seen.filter((one) => known(one) && one.tag !== estimatedTag);
  expect((await audit(rig.db, { upstream, seen })).broken).toEqual([]);
});
