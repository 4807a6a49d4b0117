import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { Random, sizeOf } from '../support/random.js';
import { eventually } from '../support/weir.js';
import { audit } from './support/audit.js';
import { Load, livelyUpstream } from './support/load.js';
import { type Gateway, Rig } from './support/rig.js';

const CLIENTS = sizeOf('FAULT_CLIENTS', 16);
/** Between two steps of the change. */
const CALLS = sizeOf('FAULT_CALLS', 200);

const V1 = 'the first master key, at least 32 characters';
const V2 = 'the second master key, at least 32 characters';

jest.setTimeout(280_000);

let database: TestDatabase;
let rig: Rig;

beforeAll(async () => {
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    { environment: { WEIR_MASTER_KEY: V1, WEIR_LEDGER_TIMEOUT_MS: '5000' } },
  );
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
});

const wrappedBy = async () => {
  const { rows } = await rig.db.query<{ master_key: string }>('SELECT DISTINCT master_key FROM data_keys');
  return rows.map(({ master_key }) => master_key);
};

/** As whatever stands before the gateways does: first nothing new goes there, then it ends. */
async function replace(gateway: Gateway, name: string, environment: Record<string, string>): Promise<Gateway> {
  const next = await rig.spawn(name, environment);
  gateway.url = null;
  await new Promise((resolve) => setTimeout(resolve, 250));
  await rig.end(gateway);
  return next;
}

test('the master key is replaced under load, and taken back: no call fails, every data key is re-wrapped, and the old one is not needed any more', async () => {
  const random = Random.ofRun('master-key');
  rig.upstream.script = livelyUpstream(random.branch(-1));
  const [a, b] = await Promise.all([rig.spawn('a'), rig.spawn('b')]);
  const load = new Load(rig, random, CLIENTS, [rig.tenant.apiKey]);
  const startedAt = performance.now();
  const more = () => load.reached(load.seen.length + CALLS);
  await more();
  const before = await wrappedBy();

  const both = await replace(a, 'both', { WEIR_MASTER_KEY: V2, WEIR_MASTER_KEY_PREVIOUS: V1 });
  const after = await wrappedBy();
  expect([before.length, after.length, after[0] === before[0]]).toEqual([1, 1, false]);
  await more(); // beside one that still runs on the old master key
  const alone = await replace(b, 'new', { WEIR_MASTER_KEY: V2 });
  await more();

  await replace(both, 'back', { WEIR_MASTER_KEY: V1, WEIR_MASTER_KEY_PREVIOUS: V2 });
  expect(await wrappedBy()).toEqual(before);
  await more();
  await replace(alone, 'old', { WEIR_MASTER_KEY: V1 });
  await more();
  await load.stop();

  const seconds = (performance.now() - startedAt) / 1000;
  process.stderr.write(`master key: ${load.summary()}; ${Math.round(load.seen.length / seconds)} calls a second\n`);
  const failed = load.seen.filter(({ end }) => end !== 'whole' && end !== 'left');
  expect(failed.map(({ end, status, code, ms }) => ({ end, status, code, ms }))).toEqual([]);
  expect(new Set(rig.upstream.calls.map(({ headers }) => headers['authorization']))).toEqual(
    new Set(['Bearer sk-up-secret-of-the-provider']),
  );
  await rig.settled();
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen: load.seen })).broken).toEqual([]);
});

test('a process that has only the master key before says what to do, and does not start', async () => {
  const started = rig.launch('wrong', { WEIR_MASTER_KEY: V2 });
  expect(await started.process.exited()).toBe(1);
  expect(started.process.stderr).toContain('set WEIR_MASTER_KEY to the one it was set up with');
  expect(started.process.stderr).not.toContain(V2);
  await eventually(async () => (await wrappedBy()).length === 1);
});
