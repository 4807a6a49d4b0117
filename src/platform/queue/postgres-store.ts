import { type BackendFactory, PostgresConnection, PostgresQueueBackend, runMigrations } from 'bullmq';
import pg from 'pg';
import { queueSchemaOf, RoutedClient, RoutedPool, schemaOf } from '../postgres/index.js';

const STATEMENT_TIMEOUT_MS = 30_000;
const CONNECT_MS = 10_000;
const IDLE_MS = 60_000;

type Asking = Pick<pg.ClientBase, 'query'>;

/** Queues in Postgres: in a schema of their own, beside that of the installation, on connections that they share. */
export class PostgresStore {
  private constructor(
    private readonly pool: RoutedPool,
    private readonly schema: string,
  ) {}

  /** Makes the tables. */
  static async prepare(url: string): Promise<void> {
    const client = new RoutedClient({ url, connectionTimeoutMillis: CONNECT_MS, application_name: 'weir-queues' });
    try {
      await client.connect();
      await migrate(client, await schemaFor(client, url));
    } finally {
      await client.end();
    }
  }

  static async open(url: string, max: number): Promise<PostgresStore> {
    const settings = { connectionTimeoutMillis: CONNECT_MS, idleTimeoutMillis: IDLE_MS, application_name: 'weir-queues', keepAlive: true };
    let schema = '';
    const pool = new RoutedPool({ url, ...settings, max }, async (client) => {
      schema = await schemaFor(client, url);
      await client.query(`SET search_path TO ${pg.escapeIdentifier(schema)}; SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    });
    try {
      (await pool.connect()).release();
    } catch (error) {
      await pool.end();
      throw error;
    }
    return new PostgresStore(pool, schema);
  }

  /** What BullMQ asks through. */
  get backend(): BackendFactory {
    return (name, options, { withBlockingConnection } = {}) =>
      new PostgresQueueBackend(
        new Connection(this.pool, this.schema),
        name,
        options as never,
        true,
        withBlockingConnection ? name : undefined,
      );
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}

/** BullMQ takes a pool to be in its usual schema. */
class Connection extends PostgresConnection {
  constructor(
    pool: pg.Pool,
    override readonly schema: string,
  ) {
    super(pool as never);
  }
}

async function schemaFor(client: Asking, url: string): Promise<string> {
  const { rows } = await client.query<{ schema: string }>('SELECT coalesce($1, current_schema()) AS schema', [schemaOf(url)]);
  return queueSchemaOf(rows[0]!.schema);
}

async function migrate(client: Asking, schema: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  // Postgres asks for the right to make schemas before it looks whether there is one.
  const query = (text: string, values?: unknown[]) =>
    rowCount && text.startsWith('CREATE SCHEMA') ? Promise.resolve({ rows: [] }) : client.query(text, values);
  await runMigrations({ query } as never, schema);
}
