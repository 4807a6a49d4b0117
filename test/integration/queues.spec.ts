import type { Pool } from 'pg';
import { moveClock } from '../support/clock.js';
import { startRedis, type TestRedis, testsWithRedis } from '../support/redis.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../support/weir.js';

const events = async (db: Pool) =>
  (await db.query<{ kind: string }>(`SELECT kind FROM outbox WHERE kind LIKE 'budget.%' ORDER BY id`)).rows.map((row) => row.kind);

const withRedis = testsWithRedis();

describe.each(['Postgres', 'Redis'])('with queues in %s', (backend) => {
  const { test } = backend === 'Redis' ? withRedis : globalThis;
  let redis: TestRedis | null = null;
  let weir: TestWeir;
  let tenant: TestTenant;

  beforeAll(async () => {
    if (backend === 'Redis') redis = await startRedis();
    weir = await startTestWeir(redis ? { REDIS_URL: redis.url } : {});
  });

  beforeEach(async () => {
    await weir.db.query('DELETE FROM outbox');
    tenant = await createTenant(weir);
  });

  afterAll(async () => {
    await weir.stop();
    await redis?.stop();
  });

  test('each queue says how many jobs wait, are due later and failed', async () => {
    const lines = async () => (await (await fetch(`${weir.adminUrl}/metrics`)).text()).match(/^weir_queue_jobs\{.*$/gm) ?? [];
    await eventually(async () => (await lines()).length > 0);
    const text = (await lines()).join('\n');
    for (const queue of ['open-periods', 'reap-holds', 'audit-ledger', 'keep-partitions']) {
      expect(text).toMatch(new RegExp(`^weir_queue_jobs\\{queue="${queue}",state="waiting"\\} \\d+$`, 'm'));
      // Its next run, at least until that begins.
      expect(text).toMatch(new RegExp(`^weir_queue_jobs\\{queue="${queue}",state="delayed"\\} [012]$`, 'm'));
      expect(text).toMatch(new RegExp(`^weir_queue_jobs\\{queue="${queue}",state="failed"\\} \\d+$`, 'm'));
    }
  });

  test('a period that ends is closed and its successor opened, by themselves and once', async () => {
    await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1.00', period: 'day' });
    await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
    await eventually(async () => (await tenant.openai.models.list()).data.some(({ id }) => id === 'mock/echo'));
    await tenant.openai.chat.completions.create({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] });
    await moveClock(weir.db, '1 day');
    await eventually(async () => (await events(weir.db)).length >= 3, 15_000);
    const told = await events(weir.db);
    expect(told).toEqual(['budget.period_opened', 'budget.period_closed', 'budget.period_opened']);
  });
});
