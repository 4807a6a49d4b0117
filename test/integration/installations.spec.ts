import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { PLAIN_NAME } from '../../src/platform/postgres/functions.js';
import { GRANTS } from '../../src/platform/postgres/grants.js';
import { assertBoundRole, createPool, migrate, sqlFunction } from '../../src/platform/postgres/index.js';
import { Queues } from '../../src/platform/queue/index.js';
import type { Logger } from '../../src/platform/telemetry/index.js';
import { createEmptyDatabase, openPool, runOnce, type TestDatabase } from '../support/database.js';
import { holdRequest, insertTenant } from '../support/ledger.js';

const POOL = { max: 2, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' };

let database: TestDatabase;
let db: Pool;
const silent = {} as Logger;
const roles: string[] = [];

beforeEach(async () => {
  database = await createEmptyDatabase();
  db = openPool(database.url);
});

afterEach(async () => {
  await db.end();
  await database.drop();
});

afterAll(async () => {
  const server = await createEmptyDatabase();
  for (const role of roles) await runOnce(server.url, `DROP ROLE IF EXISTS ${role}`);
  await server.drop();
});

const roleOf = async () => {
  const { role } = (await db.query<{ role: string }>('SELECT weir_runtime_role() AS role')).rows[0]!;
  if (role !== 'weir_app') roles.push(role);
  return role;
};

async function holds(url = database.url): Promise<void> {
  const pool = createPool(url, POOL);
  await assertBoundRole(pool);
  await pool.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  const tenant = await insertTenant(db, [{ limit: 1_000n }]);
  expect(await new LedgerRepository(pool).hold(tenant, [holdRequest(tenant, 10n)])).toMatchObject([{ verdict: 'held' }]);
  await pool.end();
}

/** What the run-time role has by the catalogs, in the form of `GRANTS`. */
async function granted(role: string) {
  const { rows: relations } = await db.query<{ name: string; kind: string; privileges: string }>(
    `SELECT relname AS name, relkind AS kind, string_agg(privilege_type, ', ' ORDER BY array_position('{SELECT,INSERT,UPDATE,DELETE}', privilege_type)) AS privileges
     FROM pg_class, aclexplode(relacl) a WHERE a.grantee = $1::regrole GROUP BY 1, 2`,
    [role],
  );
  const { rows: functions } = await db.query<{ name: string; who: string }>(
    `SELECT ${PLAIN_NAME} AS name, CASE WHEN bool_or(a.grantee = $1::regrole) THEN 'runtime' ELSE 'owner' END AS who
     FROM pg_proc p, aclexplode(proacl) a WHERE pronamespace = current_schema()::regnamespace GROUP BY oid, 1 HAVING NOT bool_or(a.grantee = 0)`,
    [role],
  );
  const of = (isSequence: boolean) =>
    Object.fromEntries(relations.filter(({ kind }) => (kind === 'S') === isSequence).map(({ name, privileges }) => [name, privileges]));
  return { tables: of(false), sequences: of(true), functions: Object.fromEntries(functions.map(({ name, who }) => [name, who])) };
}

test('what a start grants it grants again after a restore that lost it', async () => {
  await migrate(database.url);
  const role = await roleOf();
  expect(await granted(role)).toEqual(GRANTS);
  await db.query(`DROP OWNED BY ${role}`);
  for (const name of Object.keys(GRANTS.functions)) {
    const { rows } = await db.query<{ sql: string }>(
      `SELECT format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', oid::regprocedure) AS sql FROM pg_proc p WHERE ${PLAIN_NAME} = $1`,
      [name],
    );
    for (const { sql } of rows) await db.query(sql);
  }
  await migrate(database.url);
  expect(await granted(role)).toEqual(GRANTS);
  await holds();
});

test('a start changes nothing where nothing is missing', async () => {
  await migrate(database.url);
  await roleOf();
  const state = () => db.query('SELECT oid, xmin FROM pg_class UNION ALL SELECT oid, xmin FROM pg_proc ORDER BY 1');
  const before = await state();
  expect(await migrate(database.url)).toEqual([]);
  expect((await state()).rows).toEqual(before.rows);
});

test('a database from before the first release is refused before anything is changed, saying what to do', async () => {
  await db.query(`CREATE TABLE _prisma_migrations (id varchar(36), checksum varchar(64), migration_name varchar(255), finished_at timestamptz, rolled_back_at timestamptz);
    INSERT INTO _prisma_migrations (migration_name, finished_at) VALUES ('20261120090000_create_core_tables', now())`);
  const state = () =>
    db.query('SELECT oid, xmin FROM pg_class UNION ALL SELECT oid, xmin FROM pg_proc UNION ALL SELECT oid, xmin FROM pg_authid ORDER BY 1');
  const before = await state();
  await expect(migrate(database.url)).rejects.toThrow(
    /"public" were created by a version of Weir from before the first release.* Create a new database/,
  );
  expect((await state()).rows).toEqual(before.rows);
});

test('two installations in one cluster have a role each', async () => {
  const other = await createEmptyDatabase();
  await migrate(database.url);
  await migrate(other.url);
  const second = openPool(other.url);
  const { role } = (await second.query('SELECT weir_runtime_role() AS role')).rows[0];
  expect(role).not.toBe(await roleOf());
  await second.end();
  await other.drop();
  roles.push(role);
});

describe('an owner with the least rights', () => {
  let owner: string;
  let url: string;

  beforeEach(async () => {
    owner = `least_${randomUUID().slice(0, 8)}`;
    await db.query(`CREATE ROLE ${owner} LOGIN PASSWORD 'least'`);
    const own = new URL(database.url);
    [own.username, own.password] = [owner, 'least'];
    url = own.href;
  });

  afterEach(async () => {
    await db.query(`DROP OWNED BY ${owner} CASCADE`);
    roles.push(owner);
  });

  test('is told the statements that an administrator has to run, all of them at once, and starts once they were run', async () => {
    await db.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    const refusal = await migrate(url, { hasQueues: true }).then(String, String);
    const statements = [...refusal.matchAll(/^ {2}(.+);$/gm)].map(([, statement]) => statement!);
    const name = `weir_run_${new URL(url).pathname.slice(1)}`;
    expect(statements).toEqual([
      `GRANT USAGE, CREATE ON SCHEMA "public" TO "${owner}"`,
      `CREATE SCHEMA "bullmq" AUTHORIZATION "${owner}"`,
      `CREATE ROLE "${name}" NOLOGIN`,
      `GRANT "${name}" TO "${owner}"`,
    ]);
    for (const statement of statements) await db.query(statement);
    await migrate(url, { hasQueues: true });
    await roleOf();
    await holds(url);
  });

  test('is told to take over queues that somebody else has made, together with all else', async () => {
    await new Queues({ redis: null, databaseUrl: database.url, connections: 6, installation: 'one' }, silent).prepare();
    const refusal = await migrate(url, { hasQueues: true }).then(String, String);
    const statements = [...refusal.matchAll(/^ {2}(.+);$/gm)].map(([, statement]) => statement!);
    expect(statements).toEqual(
      expect.arrayContaining([
        `ALTER SCHEMA "bullmq" OWNER TO "${owner}"`,
        expect.stringMatching(/^ALTER TABLE bullmq\.job OWNER TO least_/),
        expect.stringMatching(/^ALTER FUNCTION bullmq\./),
        `GRANT USAGE, CREATE ON SCHEMA "public" TO "${owner}"`,
      ]),
    );
    for (const statement of statements) await db.query(statement);
    await migrate(url, { hasQueues: true });
    await roleOf();
    await new Queues({ redis: null, databaseUrl: url, connections: 6, installation: 'one' }, silent).prepare();
  });

  test('uses a role that an administrator has prepared, by the name that is set', async () => {
    await db.query(`GRANT CREATE ON SCHEMA public TO ${owner}`);
    const prepared = `prepared_${randomUUID().slice(0, 8)}`;
    roles.push(prepared);
    await db.query(`CREATE ROLE ${prepared} NOLOGIN`);
    await db.query(`GRANT ${prepared} TO ${owner}`);
    await migrate(url, { role: prepared });
    expect(await roleOf()).toBe(prepared);
    await holds(url);
  });

  test('is told to take over tables that a restore has given to somebody else', async () => {
    await migrate(database.url, { role: 'weir_app' });
    await db.query(
      `GRANT weir_app TO ${owner}; GRANT USAGE, CREATE ON SCHEMA public TO ${owner}; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${owner}`,
    );
    const refusal = await migrate(url).then(String, String);
    const statements = [...refusal.matchAll(/^ {2}(.+);$/gm)].map(([, statement]) => statement!);
    expect(statements).toEqual(
      expect.arrayContaining([`ALTER TABLE tenants OWNER TO ${owner}`, `ALTER TABLE _prisma_migrations OWNER TO ${owner}`]),
    );
    for (const statement of statements) await db.query(statement);
    await migrate(url);
    await holds(url);
  });
});
