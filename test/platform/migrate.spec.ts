import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { readFunctions } from '../../src/platform/postgres/functions.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { createEmptyDatabase, runOnce, type TestDatabase } from '../support/database.js';

describe('migrate', () => {
  let directory: string;
  let database: TestDatabase;

  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'weir-migrations-'));
    database = await createEmptyDatabase();
  });

  afterEach(async () => {
    rmSync(directory, { recursive: true, force: true });
    await database.drop();
  });

  function write(name: string, sql: string): void {
    mkdirSync(path.join(directory, name), { recursive: true });
    writeFileSync(path.join(directory, name, 'migration.sql'), sql);
  }

  const run = () => migrate(database.url, { directory, functions: readFunctions(directory), role: 'weir_app' });

  it('applies each migration once, in the order of their names', async () => {
    write('2_fill', 'insert into things values (1); insert into things values (2);');
    write('1_create', 'create table things (value int);');
    expect(await run()).toEqual(['1_create', '2_fill']);
    expect(await run()).toEqual([]);
    write('3_more', 'insert into things values (3);');
    expect(await run()).toEqual(['3_more']);
    expect(await column(database, 'select value from things order by value')).toEqual([1, 2, 3]);
  });

  it('ignores files that are no migrations', async () => {
    writeFileSync(path.join(directory, 'migration_lock.toml'), 'provider = "postgresql"');
    expect(await run()).toEqual([]);
  });

  it('refuses a migration that was edited after it was applied, and applies nothing', async () => {
    write('1_create', 'create table things (value int);');
    await run();
    write('1_create', 'create table things (value bigint);');
    write('2_more', 'create table others (value int);');
    await expect(run()).rejects.toThrow('migration 1_create was edited after it was applied');
    expect(await column(database, "select to_regclass('others')::text")).toEqual([null]);
  });

  it('gives way to a session that it would wait for and that waits for it', async () => {
    write('1_create', 'create table first (value int); create table second (value int);');
    await run();
    write('2_expand', 'alter table first add column more int; alter table second add column more int;');
    const other = new Client(database.url);
    await other.connect();
    await other.query('begin; lock table second in access share mode');
    const applied = run();
    const isWaiting =
      "select 1 from pg_stat_activity where application_name = 'weir-migrate' and datname = current_database() and wait_event_type = 'Lock'";
    while ((await column(database, isWaiting)).length === 0);
    await other.query('lock table first in access share mode; commit');
    await other.end();
    expect(await applied).toEqual(['2_expand']);
  });

  it('applies all of a migration or nothing of it', async () => {
    write('1_create', 'create table things (value int);');
    write('2_half', 'insert into things values (1); select 1 / 0;');
    await expect(run()).rejects.toThrow('migration 2_half failed: division by zero');
    expect(await column(database, 'select value from things')).toEqual([]);
    write('2_half', 'insert into things values (1);');
    expect(await run()).toEqual(['2_half']);
  });

  it('understands function bodies with semicolons', async () => {
    write('1_function', 'create function f() returns int language plpgsql as $$ begin perform 1; return 7; end $$;');
    await run();
    expect(await column(database, 'select f()')).toEqual([7]);
  });

  it('applies a migration once when several processes start together', async () => {
    write('1_create', 'create table things (value int); insert into things values (1);');
    const results = await Promise.all([run(), run(), run()]);
    expect(results.flat()).toEqual(['1_create']);
  });

  it('stops at a migration that another tool left unfinished', async () => {
    write('1_create', 'create table things (value int);');
    await run();
    await runOnce(database.url, 'update _prisma_migrations set finished_at = null');
    await expect(run()).rejects.toThrow('migration 1_create was begun and never finished');
  });
});

async function column(database: TestDatabase, query: string): Promise<unknown[]> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<unknown[]>({ text: query, rowMode: 'array' });
  await client.end();
  return rows.map(([value]) => value);
}
