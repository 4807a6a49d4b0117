import type { Pool } from 'pg';

/** How much the log of a run may grow to; a new segment of it costs tens of milliseconds, which a server that has run for a while never pays. */
const WAL = '1GB';
const FILL_ROWS = 400_000;

/** Writes a write-ahead log as long as that of a server that has run for a while: its segments are used again after each checkpoint. */
export async function fillWal(db: Pool): Promise<void> {
  await db.query(`ALTER SYSTEM SET min_wal_size = '${WAL}'`);
  await db.query('SELECT pg_reload_conf()');
  await db.query(`CREATE TABLE filling AS SELECT repeat('x', 1000) AS text FROM generate_series(1, ${FILL_ROWS})`);
  await db.query('DROP TABLE filling');
  await db.query('CHECKPOINT');
}
