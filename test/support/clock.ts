import type { Pool } from 'pg';

/** Moves the ledger's clock ahead, e.g. by `1 day`. Only this database. */
export async function moveClock(db: Pool, by: string): Promise<void> {
  await db.query(
    `CREATE OR REPLACE FUNCTION weir_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT now() + interval '${by.replaceAll("'", '')}' $$`,
  );
}
