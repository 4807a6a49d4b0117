import { randomInt } from 'node:crypto';
import type pg from 'pg';
import { setBy } from '../../kernel/setting-of.js';
import { RoutedClient, schemaOf } from './routed-client.js';

const CONNECT_MS = 5_000;
const LOCK_KEYS = 2 ** 31 - 1;

/** `DATABASE_URL` and `DATABASE_DIRECT_URL` lead to two installations. */
export class OtherDatabase extends Error {}

/** A standby keeps its own locks, and what was just written may not be there yet. */
class StandbyAnswered extends Error {
  /** As Postgres says it of a write there. */
  readonly code = '25006';

  constructor() {
    super('a standby answered, directly or through a pooler that sends reads to replicas');
  }
}

interface Answer {
  standby: boolean;
}

/**
 * Makes sure that the database of calls is the one that is to be migrated: a lock that is held here is seen there. That needs no rights.
 * @param url of calls. @throws OtherDatabase, StandbyAnswered
 */
export async function assertSameDatabase(direct: pg.Client, url: string): Promise<void> {
  const key = [randomInt(LOCK_KEYS), randomInt(LOCK_KEYS)];
  const here = `SELECT current_database() AS name, pg_is_in_recovery() AS standby, pg_advisory_lock($1, $2)`;
  const { name } = fromPrimary((await direct.query<Answer & { name: string }>(here, key)).rows[0]!);
  const other = await askOnce<{ name: string; sees: boolean }>(
    url,
    `SELECT datname AS name, pg_is_in_recovery() AS standby, EXISTS (SELECT FROM pg_locks
       WHERE locktype = 'advisory' AND database = d.oid AND classid = $1::bigint AND objid = $2::bigint) AS sees
     FROM pg_database d WHERE datname = current_database()`,
    key,
  );
  if (!other.sees) throw new OtherDatabase(`the database "${other.name}", and DATABASE_DIRECT_URL to the database "${name}"`);
}

/** The same of the schema, once it is there. @throws OtherDatabase */
export async function assertSameSchema(schema: string, url: string): Promise<void> {
  const other = await askOnce<{ schema: string | null }>(
    url,
    'SELECT coalesce($1, current_schema()) AS schema, pg_is_in_recovery() AS standby',
    [schemaOf(url)],
  );
  if (other.schema !== schema)
    throw new OtherDatabase(
      `${other.schema === null ? 'no schema' : `the schema "${other.schema}"`}, and DATABASE_DIRECT_URL to the schema "${schema}"`,
    );
}

function fromPrimary<Row extends Answer>(row: Row): Row {
  if (row.standby) throw new StandbyAnswered();
  return row;
}

async function askOnce<Row extends pg.QueryResultRow>(url: string, text: string, values: unknown[]): Promise<Row> {
  const client = new RoutedClient({ url, application_name: 'weir-probe', connectionTimeoutMillis: CONNECT_MS });
  const ask = async () => {
    await client.connect();
    return fromPrimary((await client.query<Row & Answer>(text, values)).rows[0]!);
  };
  try {
    return await setBy('DATABASE_URL', ask());
  } finally {
    await client.end();
  }
}
