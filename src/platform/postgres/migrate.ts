import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';

/** The advisory lock that Prisma's own tools take, so that the two never run at once. */
const PRISMA_MIGRATE_LOCK = 72707369;

/** A server that accepts a connection and says nothing would otherwise be waited for without end. */
const CONNECT_TIMEOUT_MS = 5_000;

const MIGRATIONS_DIR = path.resolve(__dirname, '../../../prisma/migrations');

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
 * @returns the names of the migrations applied now.
 * @throws Error when a migration fails, was edited after it was applied, or was left half-applied by another tool.
 */
export async function migrate(connectionString: string, directory = MIGRATIONS_DIR): Promise<string[]> {
  const migrations = readMigrations(directory);
  const client = new Client({ connectionString, application_name: 'weir-migrate', connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => {}); // a lost connection fails the statement in flight, which tells it better
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [PRISMA_MIGRATE_LOCK]);
    await client.query(CREATE_HISTORY);
    const applied = await readHistory(client);
    const pending = migrations.filter((migration) => !isApplied(migration, applied));
    for (const migration of pending) await apply(client, migration);
    return pending.map((migration) => migration.name);
  } finally {
    await client.end();
  }
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

async function apply(client: Client, { name, sql, checksum }: Migration): Promise<void> {
  try {
    await client.query('begin');
    await client.query(sql);
    await client.query(
      'insert into _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) values ($1, $2, $3, clock_timestamp(), 1)',
      [randomUUID(), checksum, name],
    );
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw new Error(`migration ${name} failed: ${(error as Error).message}`, { cause: error });
  }
}
