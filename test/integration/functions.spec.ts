import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Pool } from 'pg';
import { ownFunctions, readFunctions, type SqlFunctions } from '../../src/platform/postgres/functions.js';
import { createPool, migrate, sqlFunction } from '../../src/platform/postgres/index.js';
import { createDatabase, createEmptyDatabase, openPool, type TestDatabase } from '../support/database.js';

const SRC = path.resolve(__dirname, '../../src');
/** What it says is which role an installation has: data. */
const NO_FILE = 'weir_runtime_role';

let database: TestDatabase;
let db: Pool;
const copies: string[] = [];

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
});

afterEach(async () => {
  await db.end();
  await database.drop();
});

afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true });
});

/** The functions of another version: each change is a file, what is replaced, and by what. */
function changed(...changes: [file: string, from: string, to: string][]): SqlFunctions {
  const copy = mkdtempSync(path.join(tmpdir(), 'weir-functions-'));
  copies.push(copy);
  cpSync(SRC, copy, { recursive: true, filter: (name) => !/\.(ts|json)$/.test(name) });
  for (const [file, from, to] of changes) {
    const text = readFileSync(path.join(copy, file), 'utf8');
    expect(text).toContain(from);
    writeFileSync(path.join(copy, file), text.replace(from, to));
  }
  return readFunctions(copy);
}

const NEXT_MARK = ['quotas/sql/rings.sql', 'ARRAY[61]', 'ARRAY[62]'] as const;
const ringOf = async ({ nameOf }: SqlFunctions) =>
  (await db.query<{ length: number }>(`SELECT array_length(${nameOf('no_ring')}(), 1) AS length`)).rows[0]!.length;
const start = (functions?: SqlFunctions) => migrate(database.url, { role: 'weir_app', functions });
const versions = async () =>
  (await db.query<{ version: string }>('SELECT version FROM function_versions')).rows.map(({ version }) => version);
const functionsOf = async ({ version }: SqlFunctions) =>
  (await db.query('SELECT FROM pg_proc WHERE right(proname, 9) = $1', [`_${version}`])).rowCount;
const isAttached = async (text: string) => {
  const { rows } = await db.query<{ text: string }>(`SELECT prosrc AS text FROM pg_proc WHERE proname = 'guard_price'`);
  return rows[0]!.text.includes(text);
};

test('every function of the schema is in a file, with that text and those settings, and every file is in the schema', async () => {
  const { rows } = await db.query<{ name: string; text: string; definer: boolean; settings: string[] }>(
    `SELECT proname AS name, prosrc AS text, prosecdef AS definer, coalesce(proconfig, '{}') AS settings
     FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname <> $1 ORDER BY proname`,
    [NO_FILE],
  );
  const { all, nameOf } = ownFunctions();
  expect(rows.map(({ name }) => name)).toEqual(all.map(({ name }) => nameOf(name)).sort());
  const strays = rows.filter(({ name, text, definer, settings }) => {
    const { statement } = all.find((one) => nameOf(one.name) === name)!;
    const head = statement.slice(0, statement.indexOf('$$'));
    return (
      !statement.includes(`$$${text}$$`) ||
      definer !== head.includes('SECURITY DEFINER') ||
      settings.length !== head.split(' SET ').length - 1
    );
  });
  expect(strays).toEqual([]);
});

test('each text is one that Postgres takes, also where it checks bodies', async () => {
  for (const { statement } of ownFunctions().all) await db.query(statement.replace(/^CREATE FUNCTION/, 'CREATE OR REPLACE FUNCTION'));
});

test('each function has one text, and what is attached calls nothing that has a version', () => {
  const { all, nameOf } = ownFunctions();
  expect(all.map(({ name }) => name)).toHaveLength(new Set(all.map(({ name }) => name)).size);
  const versioned = all.filter(({ attached }) => !attached).map(({ name }) => nameOf(name));
  const strays = all.filter(({ attached, statement }) => attached && versioned.some((name) => statement.includes(name)));
  expect(strays.map(({ name }) => name)).toEqual([]);
});

test('processes of two versions call each their own, and a process of the version before that starts again leaves what the newer attached', async () => {
  const own = ownFunctions();
  const next = changed([...NEXT_MARK], ['prices/sql/guard.sql', 'BEGIN\n', 'BEGIN\n  -- next\n']);
  expect(next.version).not.toBe(own.version);
  await start(next);
  expect([await ringOf(own), await ringOf(next), await isAttached('-- next')]).toEqual([61, 62, true]);
  await start();
  expect([await ringOf(own), await ringOf(next), await isAttached('-- next')]).toEqual([61, 62, true]);
});

test('a text that Postgres refuses changes nothing', async () => {
  const before = await db.query('SELECT oid, xmin FROM pg_proc ORDER BY 1');
  await expect(start(changed(['quotas/sql/rings.sql', 'RETURNS bigint[]', 'RETURNS no_such_type']))).rejects.toThrow('no_such_type');
  expect((await db.query('SELECT oid, xmin FROM pg_proc ORDER BY 1')).rows).toEqual(before.rows);
  expect(await versions()).toEqual([ownFunctions().version]);
});

test('processes that start at once make them once', async () => {
  const empty = await createEmptyDatabase();
  await Promise.all([1, 2, 3].map(() => migrate(empty.url, { role: 'weir_app' })));
  const pool = openPool(empty.url);
  expect((await pool.query('SELECT version FROM function_versions')).rows).toEqual([{ version: ownFunctions().version }]);
  await pool.end();
  await empty.drop();
});

test('what no process has used for a week is dropped by one that runs, and made again by one that starts', async () => {
  const [own, unused, used] = [ownFunctions(), changed([...NEXT_MARK]), changed(['quotas/sql/rings.sql', 'ARRAY[61]', 'ARRAY[63]'])];
  await start(unused);
  await start(used);
  const ages = [own.version, '8 days', unused.version, '7 days 1 minute', used.version, '6 days 23 hours'];
  for (let i = 0; i < ages.length; i += 2)
    await db.query('UPDATE function_versions SET used_at = now() - $2::interval WHERE version = $1', ages.slice(i, i + 2));
  const pool = createPool(database.url, { max: 1, statementTimeoutMs: 10_000, name: 'test' });
  await pool.query(`SELECT ${sqlFunction('keep_functions')}($1)`, [own.version]);
  await pool.end();
  expect((await versions()).sort()).toEqual([own.version, used.version].sort());
  expect(await functionsOf(unused)).toBe(0);
  expect([await ringOf(own), await ringOf(used)]).toEqual([61, 63]);
  expect((await db.query(`SELECT weir_now() IS NOT NULL AS there`)).rows).toEqual([{ there: true }]);
  await start(unused);
  expect(await ringOf(unused)).toBe(62);
});

test('the run-time role drops nothing by itself', async () => {
  const pool = createPool(database.url, { max: 1, statementTimeoutMs: 10_000, name: 'test' });
  await expect(pool.query(`DROP FUNCTION ${sqlFunction('hold_batch')}`)).rejects.toThrow('must be owner');
  await expect(pool.query('DELETE FROM function_versions')).rejects.toThrow('permission denied');
  await pool.end();
});
