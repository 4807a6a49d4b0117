import { randomUUID } from 'node:crypto';
import { Client, Pool } from 'pg';
import { EXACT_TYPES } from '../../src/platform/postgres/pool.js';

/** The database that global setup migrates and every spec clones. */
export const TEMPLATE_DATABASE = 'weir_template';

/** Global setup tells the workers through this environment variable where PostgreSQL is. */
export const POSTGRES_URL_VARIABLE = 'WEIR_TEST_POSTGRES_URL';

export interface TestDatabase {
  readonly name: string;
  /** Superuser URL of a database of its own, with all migrations applied. */
  readonly url: string;
  /** Cuts what is still connected and removes the database. */
  drop(): Promise<void>;
}

/** Gives a spec a migrated, empty database that nobody else sees. */
export async function createDatabase(): Promise<TestDatabase> {
  return clone(`template ${TEMPLATE_DATABASE}`);
}

/** Gives a spec a database without any table: for tests of the migrations themselves. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return clone('template template0');
}

/** The URL of another database on the same server. */
export function urlOfDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** @param source e.g. `template the_database`. */
export async function clone(source: string): Promise<TestDatabase> {
  const server = serverUrl();
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await runOnce(server, `create database ${name} ${source}`);
  return {
    name,
    url: urlOfDatabase(server, name),
    drop: () => runOnce(server, `drop database if exists ${name} with (force)`),
  };
}

export function serverUrl(): string {
  const url = process.env[POSTGRES_URL_VARIABLE];
  if (!url) throw new Error('no test database: run the specs through "npm test"');
  return url;
}

/** A pool as the owner of a database, for looking behind the product's back. */
export function openPool(url: string): Pool {
  const pool = new Pool({ connectionString: url, max: 4, types: EXACT_TYPES });
  // Dropping a database cuts connections that are still saying goodbye.
  pool.on('error', () => {});
  return pool;
}

/** Runs one statement on a connection of its own. */
export async function runOnce(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
