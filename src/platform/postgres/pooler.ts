import { RoutedClient } from './routed-client.js';

/** How long a second connection may take; in session mode, a pooler may have none to give. */
const PATIENCE_MS = 3_000;
const PID = 'SELECT pg_backend_pid() AS pid';

/** The database is reached through a pooler that keeps no sessions. */
export class NoSessions extends Error {}

/**
 * Makes sure that what is set or locked on this connection stays. A pooler in transaction mode gives the server process away between two
 * transactions; one in session mode, and Postgres itself, do not.
 * @throws NoSessions
 */
export async function assertSessions(client: RoutedClient, url: string): Promise<void> {
  const pidOf = async (one: RoutedClient) => (await one.query<{ pid: number }>(PID)).rows[0]!.pid;
  const pid = await pidOf(client);
  if (pid === client.promisedPid) return;
  const other = new RoutedClient({ url, connectionTimeoutMillis: PATIENCE_MS, query_timeout: PATIENCE_MS, application_name: 'weir-probe' });
  try {
    await other.connect();
    await other.query('BEGIN');
    const isShared = (await pidOf(other)) === pid || (await pidOf(client)) !== pid;
    if (isShared) throw new NoSessions();
  } catch (error) {
    if (error instanceof NoSessions) throw error;
    // It waits for a process of its own: what a pooler in session mode is out of.
  } finally {
    await other.end().catch(() => {});
  }
}
