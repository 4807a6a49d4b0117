import type { Pool } from './pool.js';

/** Work that one process at a time may do, of all that share the database. */
export class Locks {
  constructor(private readonly pool: Pool) {}

  /** Waits for its turn, then works. The lock goes with the connection, so a process that dies does not keep it. */
  async exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query('SELECT pg_advisory_lock(hashtext($1))', [name]);
      return await work();
    } finally {
      client.release(true);
    }
  }
}
