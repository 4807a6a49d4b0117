import type { Pool } from 'pg';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants } from '../support/ledger.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../support/weir.js';

/** A Postgres that is slow is waited for, within a bound; one that is gone is not. The caller reads which of the two it is. */

jest.setTimeout(60_000);

const PATIENCE_MS = 250;
const LONGEST_MS = 8 * PATIENCE_MS;

let database: TestDatabase;
let db: Pool;
let proxy: TcpProxy;
let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  const url = new URL(database.url);
  proxy = await TcpProxy.start(Number(url.port));
  url.port = String(proxy.port);
  weir = await startTestWeir({ DATABASE_URL: url.href, WEIR_LEDGER_TIMEOUT_MS: String(PATIENCE_MS) });
  tenant = await createTenant(weir);
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '5.00', period: 'lifetime' });
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'mock', model: '*', input: '1', output: '2' });
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await servedAgain();
});

afterEach(async () => {
  await proxy.set({ kind: 'pass' });
  await db.query('DROP TRIGGER IF EXISTS slow ON holds');
  await servedAgain();
});

afterAll(async () => {
  expect(await brokenInvariants(db)).toEqual([]);
  await weir.stop();
  await proxy.stop();
  await db.end();
  await database.drop();
});

async function call() {
  const startedAt = performance.now();
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'mock/echo', max_tokens: 10, messages: [{ role: 'user', content: 'hello' }] }),
  });
  const { error } = (await response.json()) as { error?: { code: string; message: string } };
  return { status: response.status, code: error?.code, message: error?.message, ms: performance.now() - startedAt };
}

const servedAgain = () => eventually(async () => (await call()).status === 200, 15_000);

/** No statement of a call before is under way: it would hold locks. */
const quiet = () =>
  eventually(async () => {
    const { rows } = await db.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`,
    );
    return rows.length === 0;
  });

/** Every hold takes this much longer, in Postgres. */
const slowHolds = (seconds: number) =>
  db.query(`
    CREATE OR REPLACE FUNCTION sleep_a_while() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(${seconds}); RETURN NULL; END $$;
    CREATE TRIGGER slow AFTER INSERT ON holds FOR EACH STATEMENT EXECUTE FUNCTION sleep_a_while()`);

const SLOW = { status: 503, code: 'ledger_unavailable', message: expect.stringContaining('too slowly') };
const GONE_MESSAGE = 'The ledger cannot be reached, so no call is sent. Try again shortly.';
const GONE = { status: 503, code: 'ledger_unavailable', message: GONE_MESSAGE };

/** A machine so busy that Postgres is silent for the whole patience makes it one that is gone, rightly: such a call is made again. */
async function callOfSlow(before: () => Promise<void> = async () => {}) {
  for (let tries = 1; ; tries++) {
    await before();
    const seen = await call();
    if (tries === 4 || seen.message !== GONE_MESSAGE) return seen;
  }
}

test('a hold that takes longer than the patience is waited for while Postgres answers', async () => {
  await slowHolds((3 * PATIENCE_MS) / 1_000);
  const seen = await Promise.all(Array.from({ length: 8 }, call));
  expect(seen.map(({ status }) => status)).toEqual(Array(8).fill(200));
});

test('300 ms each way to Postgres: once the way is known, calls are served', async () => {
  await proxy.set({ kind: 'latency', ms: 300 });
  // The shortest of the last five round trips counts: so many are over first.
  for (let inRow = 0, calls = 0; inRow < 3; calls++) {
    expect(calls).toBeLessThan(15);
    inRow = (await call()).status === 200 ? inRow + 1 : 0;
  }
  for (let i = 0; i < 3; i++) expect(await call()).toMatchObject({ status: 200 });
});

test('a ledger that cannot hold in time is told by /readyz, until it can', async () => {
  await proxy.set({ kind: 'latency', ms: LONGEST_MS });
  expect(await call()).toMatchObject({ status: 503, code: 'ledger_unavailable' });
  const failing = async () => {
    const { failing = [] } = (await (await fetch(`${weir.adminUrl}/readyz`)).json()) as { failing?: { part: string; reason: string }[] };
    return failing.find(({ part }) => part === 'ledger')?.reason;
  };
  await eventually(async () => (await failing()) !== undefined, 15_000);
  expect(await failing()).toContain('WEIR_LEDGER_TIMEOUT_MS');
  await proxy.set({ kind: 'pass' });
  await eventually(async () => (await failing()) === undefined, 15_000);
});

test.each(['black-hole', 'refuse'] as const)('Postgres gone (%s): the refusal says so, long before a slow one', async (kind) => {
  await proxy.set({ kind });
  const seen = [await call(), await call(), await call()];
  for (const one of seen) expect(one).toMatchObject(GONE);
  // The shortest: a busy machine adds to each.
  expect(Math.min(...seen.map(({ ms }) => ms))).toBeLessThan(LONGEST_MS / 2);
});

test('a hold that takes longer than eight times the patience is refused, and the refusal says slow', async () => {
  await slowHolds((1.5 * LONGEST_MS) / 1_000);
  // The hold of a call before would be waited for as well.
  const seen = await callOfSlow(quiet);
  expect(seen).toMatchObject(SLOW);
  expect(seen.ms).toBeGreaterThanOrEqual(LONGEST_MS);
});

test('a budget that is locked for long is refused as slow, and later calls work', async () => {
  const client = await db.connect();
  try {
    await client.query('BEGIN');
    expect((await client.query('SELECT FROM budget_periods FOR UPDATE')).rowCount).toBeGreaterThan(0);
    expect(await callOfSlow()).toMatchObject(SLOW);
    expect(await callOfSlow()).toMatchObject(SLOW);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
});
