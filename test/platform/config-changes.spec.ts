import { randomUUID } from 'node:crypto';
import { ConfigChanges, createPool, type Pool, ServerClock } from '../../src/platform/postgres/index.js';
import { createLogger } from '../../src/platform/telemetry/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/weir.js';

let database: TestDatabase;
let pool: Pool;
let changes: ConfigChanges;

beforeAll(async () => {
  database = await createDatabase();
  pool = createPool(database.url, { max: 2, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  changes = new ConfigChanges(database.url, pool, new ServerClock(pool), createLogger('silent'));
});

afterAll(async () => {
  await changes.stop();
  await pool.end();
  await database.drop();
});

test('what changes while configuration is read again is read together after it, nobody left out, however much it is', async () => {
  const reloads: (string[] | null)[] = [];
  let done = Promise.resolve();
  changes.subscribe((tenantIds) => {
    reloads.push(tenantIds);
    return done;
  });
  await changes.start();
  expect(reloads).toEqual([null]);

  let release = () => {};
  done = new Promise((resolve) => (release = resolve));
  const tell = (tenantId: string) => pool.query(`SELECT pg_notify('weir_config', $1)`, [tenantId]);
  const [first, last] = [randomUUID(), randomUUID()];
  await tell(first);
  await eventually(async () => reloads.length === 2);
  const tenants = [...Array(100)].map(() => randomUUID());
  for (const tenant of tenants) await tell(tenant);
  release();
  await tell(last);
  await eventually(async () => reloads.at(-1)!.includes(last));
  expect(new Set(reloads.slice(1).flat())).toEqual(new Set([first, ...tenants, last]));
  expect(reloads.length).toBeLessThan(10);
});
