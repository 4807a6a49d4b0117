import { createTenant, startTestWeir } from '../../support/weir.js';

test('x', async () => {
  const weir = await startTestWeir();
  const t = await createTenant(weir);
  const doc = await t.admin('GET', '/openapi.json');
  require('node:fs').writeFileSync('/tmp/doc.json', JSON.stringify(doc, null, 1));
  const get = async (m: string, p: string, b?: unknown, h = {}) => {
    const r = await fetch(weir.adminUrl + p, {
      method: m,
      headers: { authorization: `Bearer ${t.adminKey}`, ...(b !== undefined && { 'content-type': 'application/json' }), ...h },
      body: b === undefined ? undefined : typeof b === 'string' ? b : JSON.stringify(b),
    });
    console.log(m, p, r.status, await r.text());
  };
  await get('GET', '/nope');
  await get('POST', '/v1/organization/projects', '{');
  await get('POST', '/v1/organization/projects', '');
  await get('POST', '/v1/organization/projects');
  await get('POST', '/v1/organization/projects', 'a=b', { 'content-type': 'text/plain' });
  await get('POST', '/v1/organization/projects', { nme: 'x' });
  await get('POST', '/v1/organization/projects', { name: '' });
  await get('POST', '/v1/organization/projects', { name: 5 });
  await get('POST', '/v1/organization/projects', { name: 'a', metadata: { a: 1 } });
  await get('GET', '/v1/organization/projects?limit=500');
  await get('GET', '/v1/organization/projects?limit=x');
  await get('POST', '/v1/organization/projects', [1]);
  await get('POST', '/v1/organization/projects', 'x'.repeat(2 * 1024 * 1024));
  await get('POST', '/v1/organization/budgets', { scope: { kind: 'key' }, limit: '1', period: 'month' });
  await get('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '-1', period: 'month' });
  await get('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: 5, period: 'fortnight' });
  await get('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '5', period: 'fortnight' });
  await get('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '5', period: 'month', timezone: 'Mars/Phobos' });
  await get('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '5', period: 'month' });
  await get('POST', '/v1/organization/prices', {
    provider: 'mock',
    model: 'x',
    input: 0.00000015,
    output: '0.6',
    effective_at: '2026-11-01T00:00:00Z',
  });
  await get('POST', '/v1/organization/prices', { provider: 'mock', model: 'x', input: 1e-10, output: '0.6' });
  await get('POST', '/v1/organization/providers', { type: 'opnai' });
  await get('POST', '/v1/organization/providers', { type: 'openai', base_url: 'http://10.0.0.1:99/v1' });
  await get('POST', '/v1/organization/providers', { type: 'openai', base_url: 'https://API.example.com/v1/', key: 'sk-1' });
  await get('POST', '/v1/organization/providers', { type: 'mock' });
  await get('GET', '/v1/organization/usage/completions?start_time=0');
  await get('GET', '/v1/organization/usage/completions?start_time=1700000000&end_time=1700200000&group_by[]=model&group_by[]=project_id');
  await get('GET', '/v1/organization/costs?start_time=1700000000&end_time=1700200000&group_by=user_id');
  await weir.stop();
});
