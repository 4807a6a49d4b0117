import { randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import { ApiKeysRepository } from '../../src/api-keys/api-keys.repository.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import {
  assertBoundRole,
  createPool,
  createScopedPool,
  createTenantPool,
  EVERY_TENANT,
  inTenantScope,
  migrate,
  Prisma,
  sqlFunction,
} from '../../src/platform/postgres/index.js';
import { TenantsRepository } from '../../src/tenants/index.js';
import { createDatabase, createEmptyDatabase, openPool, runOnce, type TestDatabase } from '../support/database.js';
import { encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';

let database: TestDatabase;
let db: Pool;
/** As modules get it: every tenant, but for work in the scope of one. One connection in the scope of a tenant, so that each test meets what the last one left. */
let pool: Pool;
let tenantPool: ReturnType<typeof createTenantPool>;
let alice: string;
let bob: string;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  tenantPool = createTenantPool(database.url, { max: 1, statementTimeoutMs: 10_000, name: 'tenantPool' });
  pool = createScopedPool(database.url, { max: 4, statementTimeoutMs: 10_000, name: 'test' }, tenantPool);
  [alice, bob] = [await furnish(), await furnish()];
});

afterAll(async () => {
  await Promise.all([db.end(), pool.end(), tenantPool.end()]);
  await database.drop();
});

/** A tenant with a row in as many tables as can be. */
async function furnish(): Promise<string> {
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const ledger = new LedgerRepository(pool);
  const request = holdRequest(tenant, 10n);
  await ledger.hold(tenant, [request]);
  await ledger.settle(encoded([settlement(request.id, 10n)]));
  const owned = `$1, $1`;
  await db.query(`INSERT INTO projects (tenant_id, id, name) VALUES (${owned}, 'default')`, [tenant]);
  await db.query(
    `INSERT INTO api_keys (tenant_id, id, project_id, name, lookup_id, digest, last4, created_by) VALUES (${owned}, $1, 'k', $2, '', '', '')`,
    [tenant, randomUUID()],
  );
  await db.query(`INSERT INTO admin_keys (tenant_id, id, name, lookup_id, digest, last4) VALUES (${owned}, 'a', $2, '', '')`, [
    tenant,
    randomUUID(),
  ]);
  await db.query(`INSERT INTO providers (tenant_id, id, name, type, base_url) VALUES (${owned}, 'p', 'openai', 'https://example.com')`, [
    tenant,
  ]);
  await db.query(`INSERT INTO credentials (tenant_id, id, provider_id, origin, sealed) VALUES (${owned}, $1, '', '')`, [tenant]);
  await db.query(
    `INSERT INTO target_health (tenant_id, id, provider_id, model, reason, failures, open_until, changed_at) VALUES (${owned}, $1, 'm', '', 5, now(), now())`,
    [tenant],
  );
  await db.query(`INSERT INTO credential_model_health (tenant_id, credential_id, model, resting_until) VALUES ($1, $1, 'm', now())`, [
    tenant,
  ]);
  await db.query(`INSERT INTO provider_headers (tenant_id, provider_id, origin, names, sealed) VALUES (${owned}, '', '{}', '')`, [tenant]);
  await db.query('INSERT INTO provider_grants (tenant_id, provider_id) VALUES ($1, $1)', [tenant]);
  await db.query(
    `INSERT INTO prices (tenant_id, id, provider, model, rates, source, effective_at) VALUES (${owned}, 'p', 'm', '{}', 'test', now())`,
    [tenant],
  );
  await db.query(`INSERT INTO models (tenant_id, id, provider, model, vision) VALUES (${owned}, 'p', 'm', true)`, [tenant]);
  await db.query(`SELECT ${sqlFunction('emit_event')}($1, 'test', $2, '{}')`, [tenant, randomUUID()]);
  await db.query(`INSERT INTO webhooks (tenant_id, id, name, format, address, sealed) VALUES (${owned}, 'w', 'standard', '', '')`, [
    tenant,
  ]);
  await db.query(
    `INSERT INTO webhook_deliveries (tenant_id, id, webhook_id, event_id, next_attempt_at, created_at) SELECT $1, $1, $1, id, now(), now() FROM outbox WHERE tenant_id = $1 LIMIT 1`,
    [tenant],
  );
  return tenant;
}

const as = <T>(tenantId: string, work: () => Promise<T>) =>
  inTenantScope({ tenantId, actsAs: 'operator', statementTimeoutMs: 2_000 }, work);

/** Tables with rows of tenants, and the column that says whose. */
const owned = async () =>
  (
    await db.query<{ name: string; key: string }>(
      `SELECT c.relname AS name, CASE c.relname WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END AS key FROM pg_class c
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
         AND (c.relname = 'tenants' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')) ORDER BY 1`,
    )
  ).rows;

test('every table with a tenant is under row-level security, which its owner alone passes', async () => {
  const { rows } = await db.query<{ name: string; isolated: boolean; policies: string[] }>(
    `SELECT c.relname AS name, c.relrowsecurity AND NOT c.relforcerowsecurity AS isolated,
       ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY 1) AS policies
     FROM pg_class c WHERE c.relname = ANY ($1) ORDER BY 1`,
    [(await owned()).map(({ name }) => name)],
  );
  expect(rows.length).toBeGreaterThan(13);
  expect(rows.filter((row) => !row.isolated || row.policies.join() !== 'tenant_isolation').map(({ name }) => name)).toEqual([]);
});

test('with the filters of the queries gone, a tenant sees its own rows only', async () => {
  let tables = 0;
  for (const { name, key } of await owned()) {
    const { rows } = await as(alice, () => pool.query(`SELECT DISTINCT ${key} AS tenant FROM ${name}`));
    const all = (await db.query(`SELECT count(*) AS count FROM ${name} WHERE ${key} = $1`, [alice])).rows[0].count > 0n;
    expect([name, rows]).toEqual([name, all ? [{ tenant: alice }] : []]);
    if (all) tables++;
  }
  expect(tables).toBeGreaterThan(13);
});

test('with the filters of the queries gone, a tenant changes, removes and locks its own rows only', async () => {
  const before = await db.query('SELECT id, name FROM tenants ORDER BY id');
  await as(alice, async () => {
    expect((await pool.query('UPDATE tenants SET name = name')).rowCount).toBe(1);
    expect((await pool.query('SELECT FROM providers FOR UPDATE')).rowCount).toBe(1);
    expect((await pool.query('DELETE FROM provider_grants')).rowCount).toBe(1);
    expect((await pool.query('UPDATE budget_periods SET spent = 0 WHERE tenant_id = $1', [bob])).rowCount).toBe(0);
  });
  expect((await db.query('SELECT id, name FROM tenants ORDER BY id')).rows).toEqual(before.rows);
  expect((await db.query('SELECT tenant_id FROM provider_grants')).rows).toEqual([{ tenant_id: bob }]);
});

test('a tenant can neither make rows for another tenant or the platform, nor give its own away', async () => {
  for (const tenant of [bob, null]) {
    const insert = () =>
      pool.query(
        `INSERT INTO prices (tenant_id, id, provider, model, rates, source, effective_at) VALUES ($1, $2, 'p', 'm', '{}', 'x', now())`,
        [tenant, randomUUID()],
      );
    await expect(as(alice, insert)).rejects.toThrow('row-level security');
    await expect(as(alice, () => pool.query('UPDATE providers SET tenant_id = $1', [tenant]))).rejects.toThrow('row-level security');
  }
});

test('the functions of the ledger do nothing for another tenant', async () => {
  const request = holdRequest(bob, 1n);
  const ledger = new LedgerRepository(pool);
  await expect(as(alice, () => ledger.hold(alice, [request]))).rejects.toThrow('row-level security');
  await ledger.hold(bob, [request]);
  await expect(as(alice, () => ledger.settle(encoded([settlement(request.id, 1n)])))).rejects.toThrow('row-level security');
  expect([...(await ledger.settle(encoded([settlement(request.id, 1n)]))).keys()]).toEqual([request.id]);
  await expect(as(alice, () => ledger.bookUnheld(alice, encoded([settlement(request.id, 1n)])))).rejects.toThrow('row-level security');
});

test('partitions cannot be read past their table', async () => {
  const { rows } = await db.query<{ name: string }>(`SELECT relname AS name FROM pg_class WHERE relispartition AND relkind = 'r'`);
  expect(rows.length).toBeGreaterThan(5);
  for (const { name } of rows) await expect(pool.query(`SELECT FROM ${name}`)).rejects.toThrow('permission denied');
});

test('without a tenant nothing is seen, and a connection shows nothing of the tenant it served before', async () => {
  const count = async () => (await tenantPool.query('SELECT count(*) AS count FROM tenants')).rows[0].count;
  expect(await as(alice, count)).toBe(1n);
  expect(await count()).toBe(0n);
  expect(await as(bob, async () => (await tenantPool.query('SELECT id FROM tenants')).rows)).toEqual([{ id: bob }]);
  const client = await as(alice, () => tenantPool.connect());
  await client.query('BEGIN');
  client.release();
  expect(await count()).toBe(0n);
  expect(tenantPool.totalCount).toBe(1);
});

test('the platform sees every tenant, also right after a tenant was served', async () => {
  const tenants = async () => (await pool.query('SELECT id FROM tenants ORDER BY id')).rows.map(({ id }) => id);
  expect(await tenants()).toEqual([alice, bob].sort());
  expect(await as(EVERY_TENANT, tenants)).toEqual([alice, bob].sort());
});

test('work that runs at once stays each in its own scope, through Prisma and its transactions too', async () => {
  // Sixty queue for four connections, which a slow machine may take its time for.
  const patient = { statementTimeoutMs: 10_000, connectTimeoutMs: 60_000 };
  const many = createTenantPool(database.url, { ...patient, max: 4, name: 'many' });
  const scoped = createScopedPool(database.url, { ...patient, max: 2, name: 'prisma' }, many);
  const prisma = new Prisma(scoped);
  const [tenants, keys] = [new TenantsRepository(prisma), new ApiKeysRepository(prisma, scoped)];
  await Promise.all(
    Array.from({ length: 60 }, (_, i) => {
      const [own, other] = i % 2 ? [alice, bob] : [bob, alice];
      return as(own, async () => {
        expect((await tenants.list()).map(({ id }) => id)).toEqual([own]);
        expect([await tenants.find(own), await tenants.find(other)]).toEqual([expect.objectContaining({ id: own }), null]);
        expect([await tenants.findProject(own, own), await tenants.findProject(other, other)]).toEqual([
          expect.objectContaining({ id: own }),
          null,
        ]);
        expect([await keys.findInTenant(own, own), await keys.findInTenant(other, other)]).toEqual([
          expect.objectContaining({ id: own }),
          null,
        ]);
        expect(await prisma.$transaction((db) => db.apiKey.findMany({ select: { tenantId: true } }))).toEqual([{ tenantId: own }]);
      });
    }),
  );
  // Asked in the same turn of the event loop, and awaited outside of the scope.
  const projects = await Promise.all([alice, bob, alice, bob].map((own) => as(own, () => tenants.findProject(own, own))));
  expect(projects.map((project) => project?.tenantId)).toEqual([alice, bob, alice, bob]);
  expect(await as(alice, () => prisma.tenant.findMany({ select: { id: true } }))).toEqual([{ id: alice }]);
  expect(await tenants.list()).toHaveLength(2);
  await prisma.$disconnect();
  await Promise.all([scoped.end(), many.end()]);
});

test('a statement that takes longer than its scope allows is given up', async () => {
  const slow = () => inTenantScope({ tenantId: alice, actsAs: 'tenant', statementTimeoutMs: 50 }, () => pool.query('SELECT pg_sleep(5)'));
  await expect(slow()).rejects.toMatchObject({ code: '57014' });
  await as(bob, () => pool.query('SELECT pg_sleep(0.1)'));
});

test('an owner who is no superuser applies the migrations, and the product works on what it made', async () => {
  const owner = `owner_${randomUUID().slice(0, 8)}`;
  const empty = await createEmptyDatabase();
  await runOnce(empty.url, `CREATE ROLE ${owner} LOGIN CREATEROLE PASSWORD 'owner'`);
  await runOnce(empty.url, `GRANT weir_app TO ${owner} WITH ADMIN OPTION`);
  await runOnce(empty.url, `ALTER SCHEMA public OWNER TO ${owner}`);
  const url = new URL(empty.url);
  [url.username, url.password] = [owner, 'owner'];
  await migrate(url.href);
  const own = openPool(url.href);
  const app = createPool(url.href, { max: 2, statementTimeoutMs: 10_000, name: 'test' });
  await assertBoundRole(app);
  await app.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  const tenant = await insertTenant(own, [{ limit: 1_000n }]);
  const ledger = new LedgerRepository(app);
  const request = holdRequest(tenant, 10n);
  expect(await ledger.hold(tenant, [request])).toMatchObject([{ verdict: 'held' }]);
  expect([...(await ledger.settle(encoded([settlement(request.id, 10n)]))).keys()]).toEqual([request.id]);
  expect((await own.query('SELECT spent FROM budget_periods')).rows).toEqual([{ spent: 10n }]);
  await Promise.all([own.end(), app.end()]);
  await empty.drop();
  await db.query(`DROP ROLE ${owner}`);
});

test('a start is refused as a superuser, as who bypasses row-level security, and as an owner, saying which and what to do', async () => {
  await expect(assertBoundRole(db)).rejects.toThrow(
    /^the Postgres role "postgres", which every process works as, is a superuser, .*NOSUPERUSER$/,
  );
  const role = `bound_${randomUUID().slice(0, 8)}`;
  await db.query(`CREATE ROLE ${role} NOLOGIN BYPASSRLS`);
  const sessions = new Pool({ connectionString: database.url, options: `-c role=${role}`, max: 1 });
  await expect(assertBoundRole(sessions)).rejects.toThrow('ignores row-level security');
  await db.query(`ALTER ROLE ${role} NOBYPASSRLS`);
  sessions.on('error', () => {});
  await assertBoundRole(sessions);
  await db.query(`GRANT CREATE ON SCHEMA public TO ${role}`);
  await db.query(`ALTER TABLE outbox OWNER TO ${role}`);
  await expect(assertBoundRole(sessions)).rejects.toThrow('owns the table outbox');
  await assertBoundRole(pool);
  await sessions.end();
  await db.query(`REASSIGN OWNED BY ${role} TO postgres`);
  await db.query(`DROP OWNED BY ${role}`);
  await db.query(`DROP ROLE ${role}`);
});
