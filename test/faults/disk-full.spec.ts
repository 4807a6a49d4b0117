import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type DurableDatabase, DurablePostgres } from '../support/durable-postgres.js';
import { limitFileSize, testWith } from '../support/needs.js';
import { eventually } from '../support/weir.js';
import { audit, bookedCalls, costOf } from './support/audit.js';
import { Caller, type InFlight } from './support/caller.js';
import { type Gateway, Rig } from './support/rig.js';
import { answerInSteps, STEPS_USAGE } from './support/scripts.js';

jest.setTimeout(60_000);

let postgres: DurablePostgres;
let database: DurableDatabase;
let rig: Rig;
let gateway: Gateway;
let caller: Caller;

beforeAll(async () => {
  postgres = await DurablePostgres.start();
  database = await postgres.createDatabase();
  rig = await Rig.start(database);
  gateway = await rig.spawn('gateway');
  caller = new Caller(rig, () => gateway);
});

beforeEach(() => {
  rig.upstream.script = answerInSteps;
});

afterEach(async () => {
  await rig.settled(15_000);
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen: caller.seen })).broken).toEqual([]);
});

afterAll(async () => {
  await rig?.stop();
  await postgres?.stop();
});

const IN_FULL = { status: 'completed', estimated: false, kinds: ['usage'], amount: costOf(STEPS_USAGE) };

async function bookedInFull(calls: InFlight[]): Promise<void> {
  for (const { ended } of calls) {
    const { tag } = await ended;
    const rows = async () => (await bookedCalls(rig.db)).filter((booked) => booked.tag === tag);
    await eventually(async () => (await rows()).length > 0, 10_000);
    expect(await rows()).toMatchObject([IN_FULL]);
  }
}

/** Nothing more fits on the gateway's disk; null: there is room again. */
const fillDisk = (bytes: number | null): void => limitFileSize([gateway.process.child.pid!], bytes);

const journal = (): string => {
  const directory = join(gateway.home, 'gateways');
  return join(directory, readdirSync(directory).find((name) => name.endsWith('.journal'))!);
};

/** An emptied journal leaves no file. */
const journalSize = (): number => {
  const directory = join(gateway.home, 'gateways');
  const name = readdirSync(directory).find((file) => file.endsWith('.journal'));
  return name === undefined ? 0 : statSync(join(directory, name)).size;
};

/** While Postgres is silent, and back to a Postgres that answers. */
async function whileSilent(work: () => Promise<void>, beforeItAnswers = async () => {}): Promise<void> {
  postgres.freeze();
  try {
    await work();
    await beforeItAnswers();
  } finally {
    postgres.thaw();
    await postgres.proxy.set({ kind: 'pass' });
  }
}

/** The gateway dies before Postgres can have heard of what waits, so that only its journal tells. */
async function dieUnheard(): Promise<void> {
  await rig.kill(gateway);
  await postgres.proxy.set({ kind: 'reset' });
}

const withLimits = testWith('prlimit');
const withTraces = testWith('strace');

withLimits(
  "Postgres' disk is full: new calls get 503 and nothing is sent, a stream in flight ends whole, and nothing is lost",
  async () => {
    const stream = await caller.stream();
    const before = rig.upstream.calls.length;
    // Past the part of its log that it may still write, should it have begun a new file of it.
    await rig.db.query(`SELECT pg_logical_emit_message(false, 'test', repeat('x', 131072))`);
    postgres.fillDisk();
    for (let i = 0; i < 4; i++) expect(await caller.make(i % 2 === 0)).toMatchObject({ status: 503, code: 'ledger_unavailable' });
    expect(rig.upstream.calls).toHaveLength(before);
    stream.goOn();
    expect(await stream.ended).toMatchObject({ end: 'whole' });

    await postgres.kill(); // what is left of it: without room for its log it ends by itself
    await postgres.restart();
    await caller.served();
    await bookedInFull([stream]);
  },
);

withLimits('the disk of the gateway is full: a call that cannot be noted as sent gets 503, is not sent and costs nothing', async () => {
  await caller.served();
  const before = rig.upstream.calls.length;
  fillDisk(0);
  expect(await caller.make(true)).toMatchObject({ status: 503, code: 'ledger_unavailable' });
  expect(await caller.make(false)).toMatchObject({ status: 503, code: 'ledger_unavailable' });
  fillDisk(null);
  expect(rig.upstream.calls).toHaveLength(before);
  await caller.served();
});

withLimits(
  'Postgres silent and the journal full: no answer is told to be whole, and each is booked once when Postgres is back',
  async () => {
    const [stream, whole] = [await caller.stream(), await caller.whole()];
    await whileSilent(async () => {
      fillDisk(0);
      for (const { goOn } of [stream, whole]) goOn();
      expect(await caller.make(false)).toMatchObject({ status: 503, code: 'ledger_unavailable' });
      expect(await stream.ended).toMatchObject({ end: 'broken', code: 'booking_delayed' });
      expect(await whole.ended).toMatchObject({ end: 'refused', status: 503, code: 'booking_delayed' });
    });
    fillDisk(null);
    await bookedInFull([stream, whole]);
  },
);

withLimits('a journal that was full for a while, and then the gateway is killed: what was told to be whole is booked, once', async () => {
  const streams = [await caller.stream(), await caller.stream(), await caller.stream()];
  await whileSilent(async () => {
    const before = journalSize();
    streams[0]!.goOn();
    expect(await streams[0]!.ended).toMatchObject({ end: 'whole' });
    const after = journalSize();
    // One more settlement fits, and part of a third.
    fillDisk(after + Math.round(1.5 * (after - before)));
    streams[1]!.goOn();
    expect(await streams[1]!.ended).toMatchObject({ end: 'whole' });
    streams[2]!.goOn();
    await eventually(async () => /EFBIG|ENOSPC/.test(gateway.process.stderr), 5_000);
    fillDisk(null);
    expect(await streams[2]!.ended).toMatchObject({ end: 'whole' });
  }, dieUnheard);
  await rig.restart(gateway);
  await bookedInFull(streams);
});

withTraces(
  'a journal whose sync fails is not trusted again: all it promised is written anew, and is booked once after a kill',
  async () => {
    const streams = [await caller.stream(), await caller.stream()];
    let skipped = false;
    await whileSilent(async () => {
      streams[0]!.goOn();
      expect(await streams[0]!.ended).toMatchObject({ end: 'whole' });
      const first = statSync(journal()).ino;
      const detach = await failFirstSyncs(gateway.process.child.pid!);
      skipped = detach === null;
      streams[1]!.goOn();
      expect(await streams[1]!.ended).toMatchObject({ end: 'whole' });
      await detach?.();
      if (!skipped) expect(statSync(journal()).ino).not.toBe(first);
    }, dieUnheard);
    await rig.restart(gateway);
    await bookedInFull(streams);
    if (skipped) process.stderr.write('this machine lets nobody trace a process: a sync that fails is not tested\n');
  },
);

/** The first fdatasync of each thread of a process fails with EIO. Null where the machine does not allow it. */
async function failFirstSyncs(pid: number): Promise<(() => Promise<void>) | null> {
  const inject = ['-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO:when=1'];
  const tracer = spawn('strace', ['-f', '-p', String(pid), ...inject], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolve) => tracer.once('exit', () => resolve()));
  const attached = await new Promise<boolean>((resolve) => {
    let said = '';
    tracer.stderr.on('data', (piece) => {
      said += piece;
      if (said.includes('attached')) resolve(true);
    });
    void ended.then(() => resolve(false));
  });
  if (!attached) return null;
  return async () => {
    tracer.kill('SIGINT'); // it lets go of the process
    await ended;
  };
}
