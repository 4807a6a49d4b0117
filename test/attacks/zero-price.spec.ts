import type { Pool } from 'pg';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool } from '../../src/platform/postgres/index.js';
import { encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';
import { answer } from '../support/upstream.js';
import { addUpstream, createTenant, eventually, type TestTenant } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

const { weir, upstream } = withWeir({ tenant: 'none' });

beforeAll(async () => {
  upstream.script = answer('Hello');
});

const PERIODS = ['minute', 'hour', 'day', 'week', 'month', 'year', 'lifetime', 'rolling'] as const;

describe.each(PERIODS)('a budget per %s that is over its limit', (period) => {
  let tenant: TestTenant;

  beforeAll(async () => {
    tenant = await createTenant(weir);
    await addUpstream(tenant, upstream.baseUrl);
    const window = period === 'rolling' ? { window_seconds: 3_600 } : {};
    for (const mode of ['deny', 'observe'])
      await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.00', period, mode, ...window });
    await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'session', value: '*' }, limit: '0.00', period, ...window });
    await tenant.admin('POST', '/v1/organization/prices', {
      provider: 'up',
      model: 'test-model',
      input: '0',
      output: '0',
      cache_read: '0',
    });
    await eventually(async () => JSON.stringify(await tenant.openai.models.retrieve('up/test-model')).includes('"input":"0.00"'));
    // As after an overrun: more is spent than the limit.
    await call('up/test-model', {});
    await weir.db.query(
      `UPDATE budget_periods SET limit_nano = -1 WHERE tenant_id = (SELECT tenant_id FROM budget_periods ORDER BY id DESC LIMIT 1)`,
    );
  });

  const call = async (model: string, { headers = {}, stream = false }: { headers?: Record<string, string>; stream?: boolean }) => {
    const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', 'x-weir-session': 's', ...headers },
      body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Hello' }] }),
    });
    return { status: response.status, text: await response.text() };
  };

  test('lets a call through that costs nothing, whole or streamed, also with fit: shrink and a cost limit of nothing', async () => {
    for (const stream of [false, true])
      for (const headers of [{}, { 'x-weir-fit': 'shrink' }, { 'x-weir-max-cost': '0' }] as Record<string, string>[])
        expect(await call('up/test-model', { headers, stream })).toMatchObject({ status: 200, text: expect.stringContaining('Hello') });
  });

  test('refuses a call that costs something', async () => {
    expect((await call('up/other/model', {})).status).toBe(402);
    expect((await call('up/other/model', { headers: { 'x-weir-fit': 'shrink' } })).status).toBe(402);
  });
});

test('nothing is spent or held by calls without cost, however many come at once to a budget that is spent', async () => {
  const pool: Pool = createPool(weir.databaseUrl, { max: 4, statementTimeoutMs: 10_000, name: 'test' });
  const ledger = new LedgerRepository(pool);
  const tenant = await insertTenant(weir.db, [{ limit: 10n }]);
  const [dear] = [holdRequest(tenant, 10n)];
  await ledger.hold(tenant, [dear]);
  await ledger.settle(encoded([settlement(dear.id, 25n)]));
  const free = Array.from({ length: 50 }, () => holdRequest(tenant, 0n));
  const answers = await Promise.all(free.map((request) => ledger.hold(tenant, [request])));
  expect(answers.flat().map(({ verdict }) => verdict)).toEqual(free.map(() => 'held'));
  expect((await ledger.hold(tenant, [holdRequest(tenant, 1n)]))[0]!.verdict).toBe('exceeded');
  const { rows } = await weir.db.query('SELECT spent, held FROM budget_periods WHERE tenant_id = $1', [tenant]);
  expect(rows).toEqual([{ spent: 25n, held: 0n }]);
  await ledger.settle(encoded(free.map(({ id }) => settlement(id, 0n))));
  await pool.end();
});
