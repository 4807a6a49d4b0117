import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { ROOT } from '../support/process.js';
import { Random, sizeOf } from '../support/random.js';
import { audit } from './support/audit.js';
import { Load, livelyUpstream } from './support/load.js';
import { type Gateway, Rig } from './support/rig.js';

const GATEWAYS = sizeOf('FAULT_GATEWAYS', 2);
const CLIENTS = sizeOf('FAULT_CLIENTS', 24);
/** Between two steps of the rollout. */
const CALLS = sizeOf('FAULT_CALLS', 150);

const NAME = '99991231235959_expand_for_the_next_release';
/**
 * As a release adds first and removes later: columns that may be empty. Tables in the order of the money path, or calls would wait for the migration
 * that waits for them.
 */
const EXPANSION = `
  ALTER TABLE budget_periods ADD COLUMN next_note text;
  ALTER TABLE holds ADD COLUMN next_note text;
  ALTER TABLE calls ADD COLUMN next_note text;
  ALTER TABLE ledger_entries ADD COLUMN next_note text;
`;
/** And functions that do the same and more. */
const CHANGED = ['hold', 'settle'].map((name) => join('dist', 'ledger', 'sql', `${name}.sql`));
const MORE = `BEGIN\n  PERFORM set_config('weir.next', 'yes', true);`;

/** How long a call waits for Postgres: starting processes take the cores of a small machine, and that alone must refuse none. */
const LEDGER_TIMEOUT_MS = sizeOf('FAULT_LEDGER_MS', 3_000);

jest.setTimeout(120_000);

let database: TestDatabase;
let rig: Rig;
/** The same build with a migration more, and other functions. */
let next: string;

beforeAll(async () => {
  next = mkdtempSync(join(tmpdir(), 'weir-next-'));
  for (const part of ['dist', 'prisma', 'package.json']) cpSync(join(ROOT, part), join(next, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(next, 'node_modules'));
  mkdirSync(join(next, 'prisma', 'migrations', NAME));
  writeFileSync(join(next, 'prisma', 'migrations', NAME, 'migration.sql'), EXPANSION);
  for (const file of CHANGED) {
    const text = readFileSync(join(next, file), 'utf8');
    expect(text).toMatch(/^BEGIN$/m);
    writeFileSync(join(next, file), text.replace(/^BEGIN$/m, MORE));
  }
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    { environment: { WEIR_LEDGER_TIMEOUT_MS: String(LEDGER_TIMEOUT_MS) } },
  );
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
  rmSync(next, { recursive: true, force: true });
});

const isExpanded = async () =>
  (await rig.db.query('SELECT 1 FROM _prisma_migrations WHERE migration_name = $1 AND finished_at IS NOT NULL', [NAME])).rowCount === 1;

/** How many texts of a function there are, and of these how many are the next release's. */
const textsOf = async (name: string) => {
  const { rows } = await rig.db.query<{ texts: number; next: number }>(
    `SELECT count(*)::int AS texts, count(*) FILTER (WHERE prosrc LIKE '%weir.next%')::int AS next FROM pg_proc WHERE proname LIKE $1 || '\\_%'`,
    [name],
  );
  return rows[0]!;
};

/** As whatever stands before the gateways does: first nothing new goes there, then it ends. */
async function retire(gateway: Gateway): Promise<void> {
  gateway.url = null;
  await delay(250);
  await rig.end(gateway);
}

const some = (root?: string) =>
  Promise.all(Array.from({ length: GATEWAYS }, (_, index) => rig.spawn(`${root ? 'next' : 'old'}-${index}`, {}, root)));

test('a release that expands the schema is rolled out and back under load: no call fails, old and new builds serve side by side, the ledger is whole', async () => {
  const random = Random.ofRun('rollout');
  rig.upstream.script = livelyUpstream(random.branch(-1));
  const old = await some();
  const load = new Load(rig, random, CLIENTS, [rig.tenant.apiKey]);
  const more = () => load.reached(load.seen.length + CALLS);
  await more();
  expect(await isExpanded()).toBe(false);

  const fresh = await some(next);
  expect(await isExpanded()).toBe(true);
  for (const name of ['hold_batch', 'settle_calls']) expect(await textsOf(name)).toEqual({ texts: 2, next: 1 });
  await more();
  for (const gateway of old) await retire(gateway);
  await more();
  // Back: it knows nothing of the newest migration, and starts and serves all the same.
  const back = await rig.spawn('old-again');
  await more();
  for (const gateway of fresh) await retire(gateway);
  await more();
  await load.stop();
  expect(back.url).not.toBeNull();

  const slowest = Math.max(...load.seen.map(({ ms }) => ms));
  process.stderr.write(`rollout: ${load.summary()}; the slowest took ${Math.round(slowest)} ms\n`);
  const failed = load.seen.filter(({ end }) => end !== 'whole' && end !== 'left');
  expect(failed.map(({ end, status, code, ms }) => ({ end, status, code, ms }))).toEqual([]);
  await rig.settled();
  expect((await audit(rig.db, { upstream: rig.upstream.calls, seen: load.seen })).broken).toEqual([]);
});
