import pg from 'pg';

const BIGINT_ARRAY = 1016;

/** bigint columns are money and counters: read exactly. For our own pools only, other libraries on pg expect its defaults. */
export const EXACT_TYPES = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === pg.types.builtins.INT8) return BigInt;
    if (oid === BIGINT_ARRAY) return (text: string) => text.slice(1, -1).split(',').filter(Boolean).map(BigInt);
    return pg.types.getTypeParser(oid, format as 'text');
  },
} as pg.CustomTypesConfig;

export type Pool = pg.Pool;

/** Injection token of the connection string, for libraries that bring their own client. */
export const DATABASE_URL = Symbol('database-url');

/** The role every process works as: it owns no table and may not change what is booked. */
const RUNTIME_ROLE = 'weir_app';

export interface PoolOptions {
  /** Connections at most. */
  max: number;
  /** The server gives up a statement after this long. */
  statementTimeoutMs: number;
  name: string;
}

/** Connection options that make a session work as the run-time role, and a commit mean what it says, whatever the server's own settings are. */
export const runtimeOptions = (statementTimeoutMs: number): string =>
  `-c role=${RUNTIME_ROLE} -c statement_timeout=${statementTimeoutMs} -c synchronous_commit=on -c jit=off`;

/** A bounded pool that works as the run-time role. Connecting takes at most two seconds. */
export function createPool(url: string, { max, statementTimeoutMs, name }: PoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: 2_000,
    application_name: `weir-${name}`,
    options: runtimeOptions(statementTimeoutMs),
    types: EXACT_TYPES,
  });
  // A broken idle connection is replaced at its next use; without a listener it would end the process.
  pool.on('error', () => {});
  return pool;
}
