import { createDatabase, runOnce } from '../support/database.js';
import { createTenant, startTestWeir, type TestWeir } from '../support/weir.js';

jest.setTimeout(60_000);

let weir: TestWeir | null = null;

afterEach(async () => {
  const role = (await weir?.db.query('SELECT shop.weir_runtime_role() AS role'))?.rows[0].role;
  await weir?.stop();
  weir = null;
  const server = await createDatabase();
  if (role) await runOnce(server.url, `DROP ROLE ${role}`);
  await server.drop();
});

test.each([
  ['schema, as Prisma writes it', '?schema=shop', null],
  ['search_path, as libpq writes it', `?options=${encodeURIComponent('-c search_path=shop')}`, null],
  ['search_path of its database', '', 'search_path = shop'],
])('in a schema that is not public, named by %s, everything works there and nowhere else', async (_, query, setting) => {
  weir = await startTestWeir(async (url) => {
    // The clone has the tables of another installation in public.
    if (setting) {
      await runOnce(url, 'CREATE SCHEMA shop');
      await runOnce(url, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ${setting}', current_database()); END $$`);
    }
    return { DATABASE_URL: url + query };
  });
  const tenant = await createTenant(weir);
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock', base_url: 'mock://local' });
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1.00', period: 'day' });
  await tenant.openai.chat.completions.create({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] });
  await tenant.admin('GET', '/v1/organization/usage/completions?start_time=0');
  const count = async (table: string) => (await weir!.db.query(`SELECT count(*)::int AS n FROM ${table}`)).rows[0].n;
  expect([
    await count('shop.calls'),
    await count('shop.ledger_entries'),
    await count('public.calls'),
    await count('public.tenants'),
  ]).toEqual([1, 1, 0, 0]);
  expect(await count('shop_bullmq.migration')).toBeGreaterThan(0);
});
