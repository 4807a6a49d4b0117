import type { Pool } from './pool.js';
import { inTransaction } from './transaction.js';

/** Work that one process at a time may do, of all that share the database. */
export class Locks {
  constructor(private readonly pool: Pool) {}

  /** Waits for its turn, then works. The lock goes with the connection, so a process that dies does not keep it. */
  exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    return inTransaction(this.pool, async (client) => {
      // A pooler keeps no session's lock for it: this is the transaction's, which waits while the work is done elsewhere.
      await client.query('SET LOCAL idle_in_transaction_session_timeout = 0');
      await client.query('SELECT pg_advisory_xact_lock(hashtext($1))', [name]);
      return work();
    });
  }
}
