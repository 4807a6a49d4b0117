import type { Pool } from './pool.js';

/**
 * Postgres' time, without asking for it each time: this machine's wall clock may be wrong and may jump, so only its monotonic clock is used, set
 * by what Postgres answered last. Ahead of Postgres by no more than that answer took, and not behind: what Postgres has put in force is in force.
 */
export class ServerClock {
  /** Of this process's monotonic clock at Unix time zero, by Postgres; the wall clock's until Postgres was asked. */
  private origin = performance.timeOrigin;

  constructor(private readonly pool: Pool) {}

  /** Unix time in ms. */
  now(): number {
    return this.origin + performance.now();
  }

  /** Asks Postgres, and goes by its answer from then on. Resolves with Postgres' time, in ms. */
  async ask(): Promise<number> {
    const askedAt = performance.now();
    const { rows } = await this.pool.query<{ now: number }>('SELECT extract(epoch FROM weir_now())::float8 * 1000 AS now');
    const { now } = rows[0]!;
    this.origin = now - askedAt;
    return now;
  }
}
