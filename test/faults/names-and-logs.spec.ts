import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { NameServer, type Naming } from '../support/name-server.js';
import { Random, sizeOf } from '../support/random.js';
import { eventually } from '../support/weir.js';
import { audit, bookedCalls } from './support/audit.js';
import { Caller } from './support/caller.js';
import { Load, livelyUpstream } from './support/load.js';
import { type Gateway, Rig } from './support/rig.js';
import { answerInSteps } from './support/scripts.js';

/** Calls made while nobody reads the log: their lines are more than a pipe takes. */
const CALLS = sizeOf('FAULT_CALLS', 300);
const CONNECT_TIMEOUT_MS = 1_000;
/** Of the client's clock over the budget for connecting: undici looks at its timers about every half second. */
const SLACK_MS = 1_000;

jest.setTimeout(90_000);

let database: TestDatabase;
let names: NameServer;
let rig: Rig;
let caller: Caller;
const seen: Load['seen'] = [];

beforeAll(async () => {
  database = await createDatabase();
  names = await NameServer.start();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    { upstreamAt: async (upstream) => upstream.hostPort.replace('127.0.0.1', 'provider.example') },
  );
  caller = new Caller(rig, () => rig.gateways.at(-1)!);
});

beforeEach(() => {
  rig.upstream.script = (call, response) => {
    response.shouldKeepAlive = false; // a name is asked for per connection
    return answerInSteps(call, response);
  };
  names.naming = { kind: 'answer', afterMs: 0 };
});

afterEach(async () => {
  await rig.settled();
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen: [...caller.seen, ...seen] })).broken).toEqual([]);
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
  names?.stop();
});

describe('the name of a provider', () => {
  let gateway: Gateway;

  beforeAll(async () => {
    gateway = await rig.spawn('names', { ...names.environment, WEIR_CONNECT_TIMEOUT_MS: String(CONNECT_TIMEOUT_MS) });
  });

  afterAll(() => rig.end(gateway));

  test.each<[string, Naming]>([
    ['does not exist', { kind: 'no-such-name' }],
    ['cannot be found out', { kind: 'fail' }],
    ['is asked for in vain', { kind: 'silent' }],
    ['comes too late', { kind: 'answer', afterMs: 3_000 }],
  ])('%s: 502 within the time there is to connect, nothing is charged, and the next call is served once it is there', async (_, naming) => {
    names.naming = naming;
    const before = rig.upstream.calls.length;
    const calls = await Promise.all(Array.from({ length: 8 }, (_one, i) => caller.make(i % 2 === 0)));
    for (const { status, code, ms } of calls) {
      expect([status, code]).toEqual([502, 'upstream_unreachable']);
      expect(ms).toBeLessThan(CONNECT_TIMEOUT_MS + SLACK_MS);
    }
    expect(names.asked).toBeGreaterThan(0);
    expect(rig.upstream.calls).toHaveLength(before);
    const tags = new Set(calls.map(({ tag }) => tag));
    await rig.settled();
    for (const booked of (await bookedCalls(rig.db)).filter(({ tag }) => tags.has(tag))) expect(booked.amount).toBeNull();

    names.naming = { kind: 'answer', afterMs: 200 };
    await caller.served();
  });
});

describe('a log that nobody reads', () => {
  let directory: string;
  let pipe: { reader: number; writer: number };

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'weir-log-'));
    const path = join(directory, 'log');
    execFileSync('mkfifo', [path]);
    pipe = { reader: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), writer: openSync(path, 'w') };
  });

  afterAll(() => {
    closeSync(pipe.reader);
    closeSync(pipe.writer);
    rmSync(directory, { recursive: true, force: true });
  });

  test('holds up no call, and not the end of the process; what is dropped is counted', async () => {
    const environment = { ...names.environment, WEIR_LOG_LEVEL: 'info' };
    const gateway = rig.launch('logs', environment, pipe.writer);
    const ready = await gateway.process.ready();
    gateway.url = ready.public;
    rig.gateways.push(gateway);
    const random = Random.ofRun('logs');
    rig.upstream.script = livelyUpstream(random.branch(-1));
    await eventually(async () => (await fetch(`${ready.admin}/readyz`)).status === 200);
    const load = new Load(rig, random, 16, [rig.tenant.apiKey]);
    await load.reached(CALLS);
    await load.stop();
    seen.push(...load.seen);
    process.stderr.write(`logs: ${load.summary()}\n`);
    expect(load.seen.filter(({ end }) => end !== 'whole' && end !== 'left')).toEqual([]);
    const metrics = await (await fetch(`${ready.admin}/metrics`)).text();
    expect(metrics.split('\n').filter((line) => line.startsWith('weir_log_lines_dropped_total'))).toHaveLength(1);
    await rig.end(gateway);
  });
});
