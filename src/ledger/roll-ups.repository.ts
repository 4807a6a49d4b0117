import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { inTransaction, sqlFunction } from '../platform/postgres/index.js';

/** How much time of booking one transaction rolls up. */
const WINDOW = '1 day';
/** Of a re-rating, all that it changed is rolled up in one transaction. */
const TIMEOUT = '10min';

/** Keeps the sums of entries that reports read. */
@Injectable()
export class RollUpsRepository {
  constructor(private readonly pool: Pool) {}

  /** Rolls up what was booked since the last time, in steps that begin within `patienceMs`. Answers whether there is more. */
  async rollUp(patienceMs: number): Promise<boolean> {
    const until = performance.now() + patienceMs;
    let hasMore = true;
    while (hasMore && performance.now() < until) hasMore = await this.step();
    return hasMore;
  }

  private step(): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      await client.query(`SET LOCAL statement_timeout = '${TIMEOUT}'`);
      const { rows } = await client.query<{ more: boolean }>(`SELECT ${sqlFunction('roll_up_usage')}($1) AS more`, [WINDOW]);
      return rows[0]!.more;
    });
  }
}
