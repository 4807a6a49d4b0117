import pg from 'pg';
import { EVERY_TENANT, ScopedPool, WalledPool } from './tenant-scope.js';

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

/** Injection token of the pool that snapshots and the control plane read configuration from, so that calls do not wait behind it. */
export const CONFIG_POOL = Symbol('config-pool');

/** The role every process works as: it owns no table and may not change what is booked. */
const RUNTIME_ROLE = 'weir_app';

export interface PoolOptions {
  /** Connections at most. */
  max: number;
  /** The server gives up a statement after this long. */
  statementTimeoutMs: number;
  /** Who waits longer for a connection is told that there is none. Absent: two seconds, as calls wait. */
  connectTimeoutMs?: number;
  name: string;
}

/** A bounded pool that works as the run-time role and sees every tenant. */
export const createPool = (url: string, options: PoolOptions): Pool => quiet(new pg.Pool(poolConfig(url, options, EVERY_TENANT)));

/** The same, for connections that see one tenant at a time. */
export const createWalledPool = (url: string, options: PoolOptions): WalledPool => quiet(new WalledPool(poolConfig(url, options, '')));

/** A pool that sees every tenant, except for work in the scope of one: that uses `walled`. */
export const createScopedPool = (url: string, options: PoolOptions, walled: WalledPool): Pool =>
  quiet(new ScopedPool(poolConfig(url, options, EVERY_TENANT), walled));

/** Options that make a session work as the run-time role, and a commit mean what it says, whatever the server's own settings are. */
const sessionOptions = (statementTimeoutMs: number, tenant: string): string =>
  `-c role=${RUNTIME_ROLE} -c weir.tenant=${tenant} -c statement_timeout=${statementTimeoutMs} -c synchronous_commit=on -c jit=off`;

const poolConfig = (
  url: string,
  { max, statementTimeoutMs, connectTimeoutMs = 2_000, name }: PoolOptions,
  tenant: string,
): pg.PoolConfig => ({
  connectionString: url,
  max,
  connectionTimeoutMillis: connectTimeoutMs,
  // A connection that has planned its statements is worth keeping through a quiet hour.
  idleTimeoutMillis: 3_600_000,
  application_name: `weir-${name}`,
  options: sessionOptions(statementTimeoutMs, tenant),
  types: EXACT_TYPES,
});

/** A broken connection is replaced at its next use, idle or between two statements of its user; without a listener it would end the process. */
function quiet<P extends Pool>(pool: P): P {
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}
