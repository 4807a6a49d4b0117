import type { Pool } from 'pg';

/** How long the log of a run may grow; a new segment of it costs tens of milliseconds, which a server that has run for a while never pays. */
const WAL = { min_wal_size: '2GB', max_wal_size: '4GB' };
/** Of 1 KB: more than a run writes. */
const FILL_ROWS = 1_200_000;

/** Writes a write-ahead log as long as that of a server that has run for a while: its segments are used again after each checkpoint. */
export async function fillWal(db: Pool): Promise<void> {
  for (const [name, size] of Object.entries(WAL)) await db.query(`ALTER SYSTEM SET ${name} = '${size}'`);
  await db.query('SELECT pg_reload_conf()');
  await db.query(`CREATE TABLE filling AS SELECT repeat('x', 1000) AS text FROM generate_series(1, ${FILL_ROWS})`);
  await db.query('DROP TABLE filling');
  await db.query('CHECKPOINT');
}
