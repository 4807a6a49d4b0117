import type { Pool } from 'pg';

/** Moves the ledger's clock ahead, e.g. by `1 day`. Only this database. */
export async function moveClock(db: Pool, by: string): Promise<void> {
  await db.query(
    `CREATE OR REPLACE FUNCTION weir_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT now() + interval '${by.replaceAll("'", '')}' $$`,
  );
}

/**
 * The ledger's clock as a row of a table: it stands still until it is set, which costs no statement its plan. For tests that set it thousands of
 * times. Only this database.
 */
export class SetClock {
  private constructor(
    private readonly db: Pool,
    private ms: number,
  ) {}

  static async install(db: Pool, at: Date): Promise<SetClock> {
    await db.query('CREATE TABLE set_clock (at timestamptz NOT NULL)');
    await db.query('GRANT SELECT ON set_clock TO weir_app');
    await db.query('INSERT INTO set_clock VALUES ($1)', [at]);
    await db.query(`CREATE OR REPLACE FUNCTION weir_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM set_clock'`);
    return new SetClock(db, at.getTime());
  }

  get at(): Date {
    return new Date(this.ms);
  }

  async set(at: Date): Promise<void> {
    this.ms = at.getTime();
    await this.db.query({ name: 'set_clock', text: 'UPDATE set_clock SET at = $1', values: [at] });
  }

  /** Ahead, or back with a negative number. */
  move(seconds: number): Promise<void> {
    return this.set(new Date(this.ms + seconds * 1000));
  }
}
