import { randomUUID } from 'node:crypto';
import { createPool, createTenantPool, inTenantScope, type Pool } from '../../src/platform/postgres/index.js';
import { createDatabase, openPool, POSTGRES_URL_VARIABLE, type TestDatabase } from '../support/database.js';
import { type PgBouncer, type PgBouncerOptions, startPgBouncer, testsWithPgBouncer } from '../support/pgbouncer.js';
import { createTenant, startTestWeir, type TestWeir } from '../support/weir.js';

jest.setTimeout(60_000);

const { test } = testsWithPgBouncer();

let bouncer: PgBouncer | null = null;
let database: TestDatabase;
let weir: TestWeir | null = null;

beforeEach(async () => {
  database = await createDatabase();
});

afterEach(async () => {
  await weir?.stop();
  weir = null;
  await bouncer?.stop();
  await database.drop();
});

async function between(options: PgBouncerOptions): Promise<void> {
  bouncer = await startPgBouncer(process.env[POSTGRES_URL_VARIABLE]!, options);
}

test.each([
  ['transaction', true],
  ['session', false],
] as const)('behind PgBouncer in %s mode it starts, serves calls, keeps budgets and runs its workers', async (mode, needsDirect) => {
  await between({ mode, size: 40 });
  weir = await startTestWeir((url) => ({ DATABASE_URL: bouncer!.through(url), ...(needsDirect && { DATABASE_DIRECT_URL: url }) }));
  const tenant = await createTenant(weir);
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock', base_url: 'mock://local' });
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.10', period: 'day' });
  const call = (max_completion_tokens: number) =>
    tenant.openai.chat.completions.create({ model: 'mock/echo', max_completion_tokens, messages: [{ role: 'user', content: 'Hello' }] });
  const answers = await Promise.all(Array.from({ length: 20 }, () => call(100)));
  expect(answers.map(({ choices }) => choices[0]!.message.content)).toEqual(Array.from({ length: 20 }, () => 'You said: Hello'));
  await expect(call(1_000_000)).rejects.toMatchObject({ code: 'request_exceeds_budget' });
  const key = await fetch(`${weir.publicUrl}/v1/key`, { headers: { authorization: `Bearer ${tenant.apiKey}` } });
  expect(await key.json()).toMatchObject({ budgets: [{ spent: expect.not.stringMatching(/^0\.0+$/), limit: '0.10' }] });
  expect((await weir.db.query('SELECT count(*)::int AS calls FROM calls')).rows).toEqual([{ calls: 20 }]);
  const ready = await fetch(`${weir.adminUrl}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }]);
});

test('behind PgBouncer in transaction mode without a direct way it does not start, and says which variable is missing', async () => {
  await between({ mode: 'transaction' });
  const start = startTestWeir((url) => ({ DATABASE_URL: bouncer!.through(url) }));
  await expect(start).rejects.toThrow(/DATABASE_URL leads to a connection pooler in transaction mode. Set DATABASE_DIRECT_URL/);
});

test('two tenants that take turns on one connection of a pooler never see each other, and without a tenant nothing is seen', async () => {
  await between({ mode: 'transaction', size: 1 });
  const db = openPool(database.url);
  const tenants = [randomUUID(), randomUUID()];
  for (const id of tenants) await db.query(`INSERT INTO tenants (id, name) VALUES ($1, 'test')`, [id]);
  const patient = { statementTimeoutMs: 10_000, connectTimeoutMs: 20_000 };
  const url = bouncer!.through(database.url);
  const tenantPool = createTenantPool(url, { ...patient, max: 4, name: 'tenantPool' });
  const everybody = createPool(url, { ...patient, max: 4, name: 'all' });
  const seen = async (pool: Pool) => {
    const { rows } = await pool.query<{ id: string; pid: number; role: string }>(
      'SELECT id, pg_backend_pid() AS pid, current_user AS role FROM tenants ORDER BY id',
    );
    for (const { pid, role } of rows) {
      pids.add(pid);
      roles.add(role);
    }
    return rows.map(({ id }) => id);
  };
  const pids = new Set<number>();
  const roles = new Set<string>();
  await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const tenantId = tenants[i % 2]!;
      if (i % 5 === 0) expect(await seen(everybody)).toEqual([...tenants].sort());
      else if (i % 3 === 0) expect(await seen(tenantPool)).toEqual([]);
      else
        expect(await inTenantScope({ tenantId, actsAs: 'tenant', statementTimeoutMs: 10_000 }, () => seen(tenantPool))).toEqual([tenantId]);
    }),
  );
  expect([pids.size, [...roles]]).toEqual([1, ['weir_app']]);
  await Promise.all([tenantPool.end(), everybody.end(), db.end()]);
});
