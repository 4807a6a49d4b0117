/** An error as pg or Prisma throws it: Prisma wraps what its adapter got. */
interface Thrown {
  code?: unknown;
  message?: string;
  originalCode?: unknown;
  originalMessage?: string;
  cause?: unknown;
  meta?: { driverAdapterError?: unknown };
}

/** The message of an error that a function of ours raised in Postgres with this SQLSTATE; null: it is another error. */
export function raised(sqlState: string, thrown: unknown): string | null {
  for (
    let error = thrown as Thrown | undefined;
    error instanceof Object;
    error = (error.meta?.driverAdapterError ?? error.cause) as Thrown
  ) {
    if (error.originalCode === sqlState) return error.originalMessage ?? '';
    if (error.code === sqlState) return error.message ?? '';
  }
  return null;
}
