import type { Pool } from 'pg';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants } from '../support/ledger.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../support/weir.js';

/** The default: a Postgres that says nothing for so long is taken to be gone. One that answers is waited for eight times as long. */
const PATIENCE_MS = 250;
const MOST_MS = 8 * PATIENCE_MS;
const SLOW = 'The ledger answers too slowly now, so no call is sent. Try again shortly.';
const GONE = 'The ledger cannot be reached, so no call is sent. Try again shortly.';

jest.setTimeout(60_000);

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
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1000.00', period: 'month' });
  await served();
});

afterAll(async () => {
  await proxy.set({ kind: 'pass' });
  await weir.stop();
  expect(await brokenInvariants(db)).toEqual([]);
  await db.end();
  await proxy.stop();
  await database.drop();
});

async function call(): Promise<{ status: number; text: string; tookMs: number }> {
  const startedAt = performance.now();
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'mock/echo', max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }] }),
  });
  return { status: response.status, text: await response.text(), tookMs: performance.now() - startedAt };
}

const served = () => eventually(async () => (await call()).status === 200, 20_000);

/** Every hold takes this long in Postgres, until it is taken back. */
async function slowed(seconds: number, then: () => Promise<void>): Promise<void> {
  const sleep = 'CREATE TRIGGER slow BEFORE INSERT ON holds FOR EACH STATEMENT EXECUTE FUNCTION sleep_a_while()';
  await db.query(
    `CREATE OR REPLACE FUNCTION sleep_a_while() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(${seconds}); RETURN NULL; END $$`,
  );
  await db.query(sleep);
  try {
    await then();
  } finally {
    await db.query('DROP TRIGGER slow ON holds');
  }
}

test('a Postgres that answers, and is slow, is waited for: the call is served', () =>
  slowed(0.6, async () => {
    const calls = await Promise.all(Array.from({ length: 5 }, call));
    expect(calls.map(({ status, text }) => [status, status === 200 ? '' : text])).toEqual(calls.map(() => [200, '']));
  }));

test('one that is slower than that is told as slow, and calls are served when it is well again', async () => {
  await slowed(30, async () => {
    const { status, text, tookMs } = await call();
    expect([status, text.includes(SLOW)]).toEqual([503, true]);
    expect(tookMs).toBeGreaterThan(MOST_MS / 2);
  });
  await db.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%hold_batch%' AND pid <> pg_backend_pid()`);
  await served();
});

test('a row that another locks for long is told as slow', async () => {
  const client = await db.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM budget_periods FOR UPDATE');
    const { status, text } = await call();
    expect([status, text.includes(SLOW)]).toEqual([503, true]);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
  await served();
});

test('one from which nothing comes back is told as gone, soon', async () => {
  await proxy.set({ kind: 'black-hole' });
  const { status, text, tookMs } = await call();
  await proxy.set({ kind: 'pass' });
  expect([status, text.includes(GONE)]).toEqual([503, true]);
  expect(tookMs).toBeLessThan(MOST_MS);
  await served();
});

test('one that is far away is waited for as long as the way takes', async () => {
  await proxy.set({ kind: 'latency', ms: 150 });
  const statuses: number[] = [];
  const lastAre = (count: number) => statuses.slice(-count).filter((status) => status === 200).length === count;
  // Those that meet the change find nothing coming back in time, and learn how far away it is now.
  await eventually(async () => statuses.push((await call()).status) > 0 && lastAre(3), 20_000);
  expect(statuses.length).toBeLessThan(10);
  for (let number = 0; number < 5; number++) statuses.push((await call()).status);
  expect(lastAre(8)).toBe(true);
  await proxy.set({ kind: 'pass' });
});
