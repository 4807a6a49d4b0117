import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';

const PATIENCE_MS = 10_000;

export interface Bookings {
  /** Ledger entries of calls. */
  entries: number;
  /** Calls that are not booked yet. */
  open: number;
  /** Nano-USD still held on any budget. */
  held: bigint;
}

const COUNT = `
  SELECT (SELECT count(*)::int FROM ledger_entries WHERE kind = 'usage') AS entries,
         (SELECT count(*)::int FROM holds WHERE state = 'open') AS open,
         (SELECT coalesce(sum(abs(held)), 0)::text FROM budget_periods) AS held`;

/** What the ledger says once nothing is open any more. */
export async function readBookings(databaseUrl: string): Promise<Bookings> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    for (const deadline = Date.now() + PATIENCE_MS; ; await delay(50)) {
      const { rows } = await client.query(COUNT);
      const bookings = { ...rows[0], held: BigInt(rows[0].held) } as Bookings;
      if (bookings.open === 0 || Date.now() > deadline) return bookings;
    }
  } finally {
    await client.end();
  }
}
