/** Stops the PostgreSQL that global setup started and removes its files. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.stopTestPostgres?.();
}
