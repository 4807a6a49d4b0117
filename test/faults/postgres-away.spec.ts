import { moveClock } from '../support/clock.js';
import { type DurableDatabase, DurablePostgres } from '../support/durable-postgres.js';
import { Random, sizeOf } from '../support/random.js';
import { eventually } from '../support/weir.js';
import { audit, bookedCalls, costOf } from './support/audit.js';
import { call, type Seen } from './support/client.js';
import { Load, livelyUpstream } from './support/load.js';
import { type Gateway, Rig } from './support/rig.js';
import { answerInSteps, pausedStream, STEPS_USAGE } from './support/scripts.js';

/** Calls made while Postgres is away: rounds of so many at once. */
const ROUNDS = sizeOf('FAULT_ROUNDS', 5);
const AT_ONCE = 8;
/** How often every connection is reset under load. */
const RESETS = sizeOf('FAULT_RESETS', 20);
/** A call that cannot be held is refused within this. */
const REFUSED_WITHIN_MS = 300;
/** What the slowest call of many may take longer, beside what the machine is seen to add meanwhile. */
const SCHEDULING_MS = 100;

jest.setTimeout(90_000);

let postgres: DurablePostgres;
let database: DurableDatabase;
let rig: Rig;
let gateway: Gateway;
const seen: Seen[] = [];

beforeAll(async () => {
  postgres = await DurablePostgres.start();
  database = await postgres.createDatabase();
  rig = await Rig.start(database);
  gateway = await rig.spawn('gateway');
});

beforeEach(() => {
  rig.upstream.script = answerInSteps;
});

/** Every case ends with nothing held and every call in the ledger as the upstream and the clients know it. */
afterEach(async () => {
  await rig.settled(15_000);
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen })).broken).toEqual([]);
});

afterAll(async () => {
  await rig?.stop();
  await postgres?.stop();
});

async function make(stream: boolean, onData?: (text: string) => void, url = gateway.url!): Promise<Seen> {
  const result = await call({ url, key: rig.tenant.apiKey, tag: rig.nextTag(), stream, onData });
  seen.push(result);
  return result;
}

/** A stream that has begun and does not end before it is told to. */
async function streamInFlight(url?: string): Promise<{ goOn: () => void; ended: Promise<Seen> }> {
  // On a busy machine the first hold of a new process may be late, and is then refused as it should be.
  await eventually(async () => (await make(false, undefined, url)).end === 'whole');
  const { script, goOn } = pausedStream();
  rig.upstream.script = script;
  let ended!: Promise<Seen>;
  await new Promise<void>((resolve) => {
    ended = make(true, () => resolve(), url);
  });
  rig.upstream.script = answerInSteps;
  return { goOn, ended };
}

/**
 * How long the machine kept the gateway or this test from running while `work` went on, at worst and as a rule: of requests that are refused at
 * the entry point, one after the other, and the pauses between them. A call that waits for Postgres meets the same delays twice on top of its wait: at the
 * entry point, and when its wait is over.
 */
async function atTheDoor(work: Promise<unknown>): Promise<{ most: number; usual: number }> {
  let going = true;
  const over = work.finally(() => {
    going = false;
  });
  const took: number[] = [];
  while (going) {
    const startedAt = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect((await fetch(`${gateway.url}/v1/models`)).status).toBe(401);
    took.push(Math.round(performance.now() - startedAt));
  }
  await over;
  took.sort((a, b) => a - b);
  return { most: took.at(-1)!, usual: took[took.length >> 1]! };
}

/** New calls are refused in time and the upstream sees none of them. */
async function newCallsAreRefused(): Promise<void> {
  const before = rig.upstream.calls.length;
  const results: Seen[] = [];
  const makeCalls = async () => {
    for (let round = 0; round < ROUNDS; round++) {
      results.push(...(await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => make(i % 2 === 0)))));
    }
  };
  const added = await atTheDoor(makeCalls());
  const times = results.map(({ ms }) => Math.round(ms)).sort((a, b) => a - b);
  process.stderr.write(
    `refused within: median ${times[times.length >> 1]} ms, slowest ${times.at(-1)} ms of ${times.length}; at the entry point at most ${added.most} ms, usually ${added.usual} ms\n`,
  );
  expect(new Set(results.map(({ status, code }) => `${status} ${code}`))).toEqual(new Set(['503 ledger_unavailable']));
  expect(times[times.length >> 1]).toBeLessThanOrEqual(REFUSED_WITHIN_MS + 2 * added.usual);
  expect(times.at(-1)).toBeLessThanOrEqual(REFUSED_WITHIN_MS + SCHEDULING_MS + added.most);
  expect(rig.upstream.calls).toHaveLength(before);
}

const bookedAs = async (tag: number) => (await bookedCalls(rig.db)).filter((booked) => booked.tag === tag);

/** Calls are served again, and soon. */
async function callsAreServedAgain(withinMs = 2_000): Promise<void> {
  await eventually(async () => (await make(false)).end === 'whole', withinMs);
}

const away: [string, () => unknown, () => unknown][] = [
  ['frozen', () => postgres.freeze(), () => postgres.thaw()],
  ['refusing connections', () => postgres.proxy.set({ kind: 'refuse' }), () => postgres.proxy.set({ kind: 'pass' })],
  ['behind a black hole', () => postgres.proxy.set({ kind: 'black-hole' }), () => postgres.proxy.set({ kind: 'pass' })],
  ['two seconds slow', () => postgres.proxy.set({ kind: 'latency', ms: 2_000 }), () => postgres.proxy.set({ kind: 'pass' })],
];

test.each(away)(
  'Postgres %s: new calls get 503 within 300 ms and nothing is sent, a stream in flight ends whole and is booked once after',
  async (_how, begin, end) => {
    const { goOn, ended } = await streamInFlight();
    await begin();
    try {
      await newCallsAreRefused();
      goOn();
      expect(await ended).toMatchObject({ end: 'whole' });
    } finally {
      goOn();
      await end();
    }
    await callsAreServedAgain();
    const { tag } = await ended;
    await eventually(async () => (await bookedAs(tag)).length > 0, 5_000);
    expect(await bookedAs(tag)).toMatchObject([{ status: 'completed', estimated: false, kinds: ['usage'], amount: costOf(STEPS_USAGE) }]);
  },
);

test('connections that the network has forgotten: calls are served again over new ones, and what was under way is booked once', async () => {
  const { goOn, ended } = await streamInFlight();
  postgres.proxy.forgetAll();
  goOn();
  expect(await ended).toMatchObject({ end: 'whole' });
  await callsAreServedAgain(15_000);
  const { tag } = await ended;
  await eventually(async () => (await bookedAs(tag)).length > 0, 15_000);
  expect(await bookedAs(tag)).toMatchObject([{ status: 'completed', kinds: ['usage'], amount: costOf(STEPS_USAGE) }]);
});

test('Postgres killed with a stream in flight: the stream ends whole and is booked once; calls are served within 2 s of its return', async () => {
  const { goOn, ended } = await streamInFlight();
  await postgres.kill();
  goOn();
  expect(await ended).toMatchObject({ end: 'whole' });
  await postgres.restart();
  await callsAreServedAgain();
  const { tag } = await ended;
  await eventually(async () => (await bookedAs(tag)).length > 0, 5_000);
  expect(await bookedAs(tag)).toMatchObject([{ status: 'completed', amount: costOf(STEPS_USAGE) }]);
});

test(`every connection to Postgres reset ${RESETS} times under load: nothing is lost, nothing booked twice`, async () => {
  const random = Random.ofRun('resets');
  rig.upstream.script = livelyUpstream(random);
  const load = new Load(rig, random, 8, [rig.tenant.apiKey]);
  for (let i = 0; i < RESETS; i++) {
    await load.reached(load.seen.length + random.int(1, 20));
    postgres.proxy.resetAll();
  }
  await load.stop();
  seen.push(...load.seen);
  process.stderr.write(`resets: ${load.summary()}\n`);
  expect(load.count('unreached')).toBe(0);
});

test('a gateway killed while its journal holds what Postgres did not take: it is booked once after the restart', async () => {
  const streams = [await streamInFlight(), await streamInFlight(), await streamInFlight()];
  postgres.freeze();
  try {
    for (const { goOn } of streams) goOn();
    for (const { ended } of streams) expect(await ended).toMatchObject({ end: 'whole' });
    await rig.kill(gateway);
    // Its connections must be over before Postgres wakes, or it could still read what they carried.
    await postgres.proxy.set({ kind: 'reset' });
  } finally {
    postgres.thaw();
    await postgres.proxy.set({ kind: 'pass' });
  }
  await rig.restart(gateway);
  for (const { ended } of streams) {
    const [booked, ...more] = await bookedAs((await ended).tag);
    expect(more).toEqual([]);
    expect(booked).toMatchObject({ status: 'completed', estimated: false, kinds: ['usage'], amount: costOf(STEPS_USAGE) });
  }
});

test('a gateway told to stop while Postgres is silent: it ends, and what its journal holds is booked once after the restart', async () => {
  const { goOn, ended } = await streamInFlight();
  postgres.freeze();
  try {
    goOn();
    expect(await ended).toMatchObject({ end: 'whole' });
    expect(await gateway.process.kill('SIGTERM')).toBe(0);
    await postgres.proxy.set({ kind: 'reset' });
  } finally {
    postgres.thaw();
    await postgres.proxy.set({ kind: 'pass' });
  }
  await rig.restart(gateway);
  expect(await bookedAs((await ended).tag)).toMatchObject([{ status: 'completed', kinds: ['usage'], amount: costOf(STEPS_USAGE) }]);
}, 90_000);

test('a gateway that dies as soon as its journal is synced, before its client has the end: it is booked once after the restart', async () => {
  const doomed = await rig.spawn('doomed', { WEIR_CRASH: 'journal_appended' });
  const { goOn, ended } = await streamInFlight(doomed.url!);
  postgres.freeze();
  try {
    goOn();
    expect(await doomed.process.exited()).toBe('SIGKILL');
    expect(await ended).toMatchObject({ end: 'broken' });
    await postgres.proxy.set({ kind: 'reset' });
  } finally {
    postgres.thaw();
    await postgres.proxy.set({ kind: 'pass' });
  }
  await rig.end(await rig.spawn('doomed'));
  rig.gateways.length = 1;
  const { tag } = await ended;
  expect(await bookedAs(tag)).toMatchObject([{ status: 'completed', kinds: ['usage'], amount: costOf(STEPS_USAGE) }]);
});

test.each([
  ['kept', '1 hour'],
  ['killed', '2 hours'],
])(
  'a gateway cut off for longer than its calls can run, and then %s: the reaper books an estimate, the truth that comes later corrects it once',
  async (what, later) => {
    const cutOff = await rig.spawn(`cut-off-${what}`);
    const direct = rig.launch('direct', { WEIR_ROLES: 'gateway,worker', DATABASE_URL: database.directUrl });
    try {
      const { goOn, ended } = await streamInFlight(cutOff.url!);
      await direct.process.ready();
      await postgres.proxy.set({ kind: 'black-hole' });
      goOn();
      expect(await ended).toMatchObject({ end: 'whole' });
      if (what === 'killed') await rig.kill(cutOff);
      await moveClock(rig.db, later);
      const { tag } = await ended;
      await eventually(async () => (await bookedAs(tag)).length > 0, 15_000);
      expect(await bookedAs(tag)).toMatchObject([{ status: 'cut', error_code: 'gateway_lost', kinds: ['usage'] }]);

      await postgres.proxy.set({ kind: 'pass' });
      if (what === 'killed') await rig.restart(cutOff);
      await eventually(async () => (await bookedAs(tag))[0]!.kinds.includes('late'), 10_000);
      expect(await bookedAs(tag)).toMatchObject([{ kinds: ['late', 'usage'], amount: costOf(STEPS_USAGE) }]);
      await rig.end(cutOff);
      await rig.end(direct);
    } finally {
      await postgres.proxy.set({ kind: 'pass' });
      for (const one of [cutOff, direct]) await rig.kill(one);
      rig.gateways.splice(rig.gateways.indexOf(cutOff), 1);
    }
  },
);

test('a Postgres that does not answer at the start: one clear line and exit 1', async () => {
  await postgres.proxy.set({ kind: 'black-hole' });
  const { process: late } = rig.launch('late');
  try {
    const ended = await Promise.race([late.exited(), new Promise((resolve) => setTimeout(resolve, 20_000, 'still waiting').unref())]);
    expect(ended).toBe(1);
    expect(late.stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(/Postgres does not answer.*DATABASE_URL/)]);
  } finally {
    await late.kill('SIGKILL');
    await postgres.proxy.set({ kind: 'pass' });
  }
});
