import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import { CREATE_VERSIONS, makeAttached, makeFunctions, ownFunctions, type SqlFunctions } from './functions.js';
import { assertSessions } from './pooler.js';
import { grantRights, prepareRole } from './rights.js';
import { endpointOf, RoutedClient, userOf } from './routed-client.js';
import { assertSameDatabase, assertSameSchema } from './same-database.js';

/** The advisory lock that Prisma's own tools take, so that the two never run at once. */
const PRISMA_MIGRATE_LOCK = 72707369;

/** A server that accepts a connection and says nothing would otherwise be waited for without end. */
const CONNECT_TIMEOUT_MS = 5_000;

/** A table that is waited for longer makes calls wait behind the migration. Less than `deadlock_timeout`. */
const LOCK_TIMEOUT_MS = 300;
const LOCKED_PAUSE_MS = 400;
const LOCKED_MS = 60_000;

/** It has unique indexes that treat two NULLs as the same. */
const OLDEST_SERVER = 150_000;

const MIGRATIONS_DIR = path.resolve(__dirname, '../../../prisma/migrations');

export interface MigrateOptions {
  /** The run-time role, as set; null: see `prepareRole`. */
  role?: string | null;
  /** `DATABASE_URL`, where migrations go another way. */
  callsUrl?: string | null;
  /** Queues are kept in this database too. */
  hasQueues?: boolean;
  directory?: string;
  functions?: SqlFunctions;
}

interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

/**
 * Applies the migrations that a database does not have yet, oldest first, as `prisma migrate deploy` would, and records
 * them where Prisma looks for them. Prisma's own command needs an engine binary that closed networks cannot download.
 *
 * Each migration is one transaction: it is applied and recorded, or neither. Processes that start together take turns.
 *
 * Before that the run-time role is made, where it is missing. After that come the SQL functions of this version, where they are missing, and the role
 * gets what it may do.
 *
 * @returns the names of the migrations applied now.
 * @throws Error when the server is too old or the database not in UTF8, NoSessions, OtherDatabase, MissingRights; Error when the database was made before the first release; Error when a migration fails, was edited after it was applied, or was left half-applied by another tool.
 */
export async function migrate(
  connectionString: string,
  { role = null, callsUrl = null, hasQueues = false, directory = MIGRATIONS_DIR, functions = ownFunctions() }: MigrateOptions = {},
): Promise<string[]> {
  const migrations = readMigrations(directory);
  const client = new RoutedClient({ url: connectionString, application_name: 'weir-migrate', connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  await client.connect();
  try {
    await assertVersion(client);
    await assertEncoding(client);
    await assertSessions(client, connectionString);
    if (callsUrl !== null) await assertSameDatabase(client, callsUrl);
    const { schema } = endpointOf(connectionString).address;
    if (schema !== null) await client.query(`set search_path to ${escapeIdentifier(schema)}`);
    await client.query('select pg_advisory_lock($1)', [PRISMA_MIGRATE_LOCK]);
    await assertReleased(client, migrations);
    const names = functions.all.map(({ name }) => name);
    const place = await prepareRole(client, { role, login: callsUrl && userOf(callsUrl), hasQueues, functions: names });
    await client.query(`${CREATE_HISTORY};${CREATE_VERSIONS}`);
    const applied = await readHistory(client);
    const pending = migrations.filter((migration) => !isApplied(migration, applied));
    await makeAttached(client, place.schema, functions);
    for (const migration of pending) await apply(client, migration, place.schema);
    await atOnce(client, async () => {
      await makeFunctions(client, place.schema, functions);
      await grantRights(client, place);
    });
    if (callsUrl !== null) await assertSameSchema(place.schema, callsUrl);
    return pending.map((migration) => migration.name);
  } finally {
    await client.end();
  }
}

async function assertVersion(client: Client): Promise<void> {
  const { rows } = await client.query<{ number: number; version: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as version`,
  );
  const { number, version } = rows[0]!;
  if (number < OLDEST_SERVER) throw new Error(`Weir needs Postgres ${OLDEST_SERVER / 10_000} or newer, and this one is ${version}`);
}

/** In any other, text of tenants and models would be refused, or cut, in the midst of calls. */
async function assertEncoding(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string; encoding: string }>(
    `select current_database() as name, current_setting('server_encoding') as encoding`,
  );
  const { name, encoding } = rows[0]!;
  if (encoding === 'UTF8') return;
  throw new Error(
    `Weir needs a database in UTF8, and "${name}" is in ${encoding}; make another one: CREATE DATABASE name ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0`,
  );
}

/** The migrations from before the first release were replaced by others. */
async function assertReleased(client: Client, [first]: Migration[]): Promise<void> {
  const { rows } = await client.query<{ schema: string; found: boolean }>(
    `select current_schema() as schema, to_regclass('_prisma_migrations') is not null as found`,
  );
  const { schema, found } = rows[0]!;
  if (!first || !found) return;
  const history = await readHistory(client);
  if (history.size === 0 || history.has(first.name)) return;
  throw new Error(
    `the tables in the schema "${schema}" were created by a version of Weir from before the first release, and cannot be upgraded. Nothing was changed. Create a new database, or drop this schema and create it again; if Weir runs the embedded Postgres, move the directory WEIR_HOME away. Then start Weir again`,
  );
}

function readMigrations(directory: string): Migration[] {
  return readdirSync(directory)
    .sort()
    .map((name) => ({ name, file: path.join(directory, name, 'migration.sql') }))
    .filter(({ file }) => existsSync(file))
    .map(({ name, file }) => {
      const sql = readFileSync(file, 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    });
}

const CREATE_HISTORY = `
  create table if not exists _prisma_migrations (
    id                  varchar(36) primary key not null,
    checksum            varchar(64) not null,
    finished_at         timestamptz,
    migration_name      varchar(255) not null,
    logs                text,
    rolled_back_at      timestamptz,
    started_at          timestamptz not null default now(),
    applied_steps_count integer not null default 0
  )`;

type History = Map<string, { checksum: string; finished: boolean }>;

async function readHistory(client: Client): Promise<History> {
  const { rows } = await client.query<{ name: string; checksum: string; finished: boolean }>(
    'select migration_name as name, checksum, finished_at is not null as finished from _prisma_migrations where rolled_back_at is null',
  );
  return new Map(rows.map((row) => [row.name, row]));
}

function isApplied(migration: Migration, history: History): boolean {
  const record = history.get(migration.name);
  if (!record) return false;
  if (!record.finished) throw new Error(`migration ${migration.name} was begun and never finished; see "prisma migrate resolve"`);
  if (record.checksum !== migration.checksum) throw new Error(`migration ${migration.name} was edited after it was applied`);
  return true;
}

async function apply(client: Client, { name, sql, checksum }: Migration, schema: string): Promise<void> {
  const record = [randomUUID(), checksum, name].map((text) => escapeLiteral(text)).join(', ');
  // In one message: Postgres may be far away.
  const text = `begin; set local lock_timeout = '${LOCK_TIMEOUT_MS}ms'; set local search_path to ${escapeIdentifier(schema)};
${sql}
;insert into _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) values (${record}, clock_timestamp(), 1); commit`;
  try {
    await untilLocked(client, () => client.query(text));
  } catch (error) {
    throw new Error(`migration ${name} failed: ${(error as Error).message}`, { cause: error });
  }
}

/** All of it is done, or nothing. */
function atOnce(client: Client, work: () => Promise<void>): Promise<void> {
  return untilLocked(client, async () => {
    await client.query(`begin; set local lock_timeout = '${LOCK_TIMEOUT_MS}ms'`);
    await work();
    await client.query('commit');
  });
}

/**
 * Does a transaction, again while what it needs is locked by others: calls are served meanwhile, and each lock that is waited for makes them wait
 * too.
 */
async function untilLocked(client: Client, transaction: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + LOCKED_MS;
  for (;;) {
    try {
      return void (await transaction());
    } catch (error) {
      await client.query('rollback').catch(() => {});
      if (!isLocked(error)) throw error;
      if (performance.now() > deadline)
        throw new Error(
          `other sessions have locked the tables for ${LOCKED_MS / 1000} s (${(error as Error).message}); end what locks them, such as a dump or a long report, and start Weir again`,
          { cause: error },
        );
      await delay(LOCKED_PAUSE_MS * (0.5 + Math.random()));
    }
  }
}

/** A deadlock, or a lock that was waited for too long. */
const isLocked = (error: unknown): boolean => ['40P01', '55P03'].includes((error as { code?: string }).code ?? '');
