import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';

/** Somebody reads or writes what is to be dropped. */
const LOCK_TIMEOUT = '55P03';
const DROP_TIMEOUT = '10min';
const PURGE_BATCH = 5_000;

/** Makes the monthly partitions of the ledger and lets go of what is old. */
@Injectable()
export class RetentionRepository {
  constructor(private readonly pool: Pool) {}

  /** Monthly partitions, from last month to three ahead. */
  async ensurePartitions(): Promise<void> {
    await this.pool.query('SELECT ensure_partitions()');
  }

  /**
   * Drops the oldest month of calls and entries that has been over for this many months, at least 3. Their sums stay with their periods.
   * Answers which, e.g. `2026_11`; null: none is that old, or somebody is using it.
   */
  async dropOldestMonth(months: number): Promise<string | null> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(`SET LOCAL statement_timeout = '${DROP_TIMEOUT}'`);
      const { rows } = await client.query<{ month: string | null }>('SELECT drop_oldest_month($1) AS month', [months]);
      await client.query('COMMIT');
      return rows[0]!.month;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {});
      if ((error as { code?: unknown }).code === LOCK_TIMEOUT) return null;
      throw error;
    } finally {
      client.release();
    }
  }

  /** Removes holds that were resolved more than seven days ago. Answers how many. */
  async purgeHolds(): Promise<number> {
    let total = 0;
    for (let count = PURGE_BATCH; count === PURGE_BATCH; total += count) {
      const { rows } = await this.pool.query<{ count: number }>('SELECT purge_holds($1) AS count', [PURGE_BATCH]);
      count = rows[0]!.count;
    }
    return total;
  }
}
