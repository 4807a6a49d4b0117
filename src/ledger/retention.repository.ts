import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { inTransaction, sqlFunction } from '../platform/postgres/index.js';

/** Somebody reads or writes what is to be dropped. */
const LOCK_TIMEOUT = '55P03';
const LONG_TIMEOUT = '10min';
const PURGE_BATCH = 5_000;
/** Of a default partition, how much is copied in one transaction: some 10,000 rows. */
const BLOCKS_AT_ONCE = 512;
const TABLES = ['calls', 'ledger_entries'] as const;
type Table = (typeof TABLES)[number];

/** How many rows of each kind were removed. */
export type Purged = Record<'holds' | 'periods' | 'idle_periods' | 'counters' | 'events' | 'deleted', number>;

/** Makes the monthly partitions of the ledger and lets go of what is old. */
@Injectable()
export class RetentionRepository {
  /** How far copying out of a default partition has got. */
  private readonly copied = new Map<Table, bigint>();
  /** Where looking for what is idle goes on. */
  private readonly lookedAt = { idle_periods: 0n, counters: 0n };

  constructor(private readonly pool: Pool) {}

  /** Monthly partitions, from last month to three ahead, but for months whose rows are in the default one. */
  async ensurePartitions(): Promise<void> {
    await this.pool.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  }

  /**
   * Drops the oldest month of calls and entries that has been over for this many months, at least 3. Their sums stay with their periods.
   * Answers which, e.g. `2026_11`; null: none is that old, or somebody is using it.
   */
  dropOldestMonth(months: number): Promise<string | null> {
    return this.exclusively(null, `SELECT ${sqlFunction('drop_oldest_month')}($1) AS done`, [months]);
  }

  /**
   * Moves rows that are in a default partition to partitions of their months: in bounded steps, no more than begin within `patienceMs`; the rest is for
   * the next time. Answers the months that are whole now, e.g. `calls_2026_11`.
   */
  async moveDefaultRows(patienceMs: number): Promise<string[]> {
    const until = performance.now() + patienceMs;
    const moved: string[] = [];
    for (const table of TABLES) {
      let hasMore = await this.hasDefaultRows(table);
      while (hasMore) {
        if (performance.now() > until) return moved;
        const from = this.copied.get(table) ?? 0n;
        const next = await this.copyDefaultRows(table, from);
        hasMore = next !== null;
        if (next !== null) this.copied.set(table, next);
        else moved.push(...(await this.replaceDefault(table, from)));
      }
    }
    if (moved.length > 0) await this.ensurePartitions();
    return moved;
  }

  /**
   * Removes what nobody needs any more: holds that were resolved seven days ago, periods that were closed 35 or 400 days ago, events of 35 days,
   * counters and template periods that nobody uses. No more than begins within `patienceMs`; the rest is for the next time.
   */
  async purge(patienceMs: number): Promise<Purged> {
    const until = performance.now() + patienceMs;
    return {
      holds: await this.purgeHolds(until),
      periods: await this.repeat(until, () => this.count('purge_periods')),
      events: await this.repeat(until, () => this.count('purge_events')),
      counters: await this.lookThrough(until, 'counters'),
      idle_periods: await this.lookThrough(until, 'idle_periods'),
      deleted: await this.repeat(until, () => this.count('purge_deleted')),
    };
  }

  /** Removes holds that were resolved more than seven days ago. Answers how many. */
  purgeHolds(until = Number.POSITIVE_INFINITY): Promise<number> {
    return this.repeat(until, () => this.count('purge_holds'));
  }

  private async hasDefaultRows(table: Table): Promise<boolean> {
    const { rows } = await this.pool.query<{ has: boolean }>(`SELECT ${sqlFunction('has_default_rows')}($1) AS has`, [table]);
    return rows[0]!.has;
  }

  private async copyDefaultRows(table: Table, from: bigint): Promise<bigint | null> {
    const { rows } = await this.pool.query<{ next: bigint | null }>(`SELECT ${sqlFunction('copy_default_rows')}($1, $2, $3) AS next`, [
      table,
      from,
      BLOCKS_AT_ONCE,
    ]);
    return rows[0]!.next;
  }

  /** Answers the months it made; none where somebody uses the table. */
  private async replaceDefault(table: Table, from: bigint): Promise<string[]> {
    const months = await this.exclusively<string[]>([], `SELECT ${sqlFunction('replace_default')}($1, $2) AS done`, [table, from]);
    if (months.length > 0) this.copied.delete(table);
    return months;
  }

  private async count(purge: string): Promise<number> {
    const { rows } = await this.pool.query<{ count: number }>(`SELECT ${sqlFunction(purge)}($1) AS count`, [PURGE_BATCH]);
    return rows[0]!.count;
  }

  /** As long as a step has found as much as it may. Answers how much all have. */
  private async repeat(until: number, step: () => Promise<number>): Promise<number> {
    let total = 0;
    for (let found = PURGE_BATCH; found === PURGE_BATCH && performance.now() < until; total += found) found = await step();
    return total;
  }

  /** Step by step through a table, from where the last time ended, to its end at most. */
  private async lookThrough(until: number, what: keyof typeof this.lookedAt): Promise<number> {
    let total = 0;
    do {
      const { rows } = await this.pool.query<{ last: bigint; removed: number }>(
        `SELECT last, removed FROM ${sqlFunction(`purge_${what}`)}($1, $2)`,
        [this.lookedAt[what], PURGE_BATCH],
      );
      this.lookedAt[what] = rows[0]!.last;
      total += rows[0]!.removed;
    } while (this.lookedAt[what] > 0n && performance.now() < until);
    return total;
  }

  /** A statement that nobody else may use the table for, and that may take a while. When somebody does, it is for the next time. */
  private async exclusively<T>(later: T, statement: string, values: unknown[]): Promise<T> {
    return inTransaction(this.pool, async (client) => {
      await client.query(`SET LOCAL statement_timeout = '${LONG_TIMEOUT}'`);
      const { rows } = await client.query<{ done: T }>(statement, values);
      return rows[0]!.done;
    }).catch((error) => {
      if ((error as { code?: unknown }).code === LOCK_TIMEOUT) return later;
      throw error;
    });
  }
}
