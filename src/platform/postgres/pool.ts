import pg from 'pg';
import { endpointOf, type Options } from './routed-client.js';
import { RuntimeClient } from './runtime-client.js';
import { currentScope, EVERY_TENANT, NOBODY, type TenantScope } from './tenant-scope.js';

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

/** Injection token of the connection string, for modules that open a pool of their own. */
export const DATABASE_URL = Symbol('database-url');

/** Injection token of the connection string for what needs a session. */
export const DIRECT_URL = Symbol('direct-url');

/** Injection token of the pool that snapshots and the control plane read configuration from, so that calls do not wait behind it. */
export const CONFIG_POOL = Symbol('config-pool');

export interface PoolOptions {
  /** Connections at most. */
  max: number;
  /** The server gives up a statement after this long. */
  statementTimeoutMs: number;
  /** Who waits longer for a connection is told that there is none. Absent: two seconds, as calls wait. */
  connectTimeoutMs?: number;
  name: string;
  /** The variable that `max` comes from. */
  setting?: string;
}

/** A bounded pool that works as the run-time role and sees every tenant. */
export const createPool = (url: string, options: PoolOptions): Pool =>
  withoutErrorEvents(new RuntimePool(url, options, everyTenant(options)));

/** The same, for connections that see one tenant at a time: that of the work they are taken for, and none without one. */
export const createTenantPool = (url: string, options: PoolOptions): Pool =>
  withoutErrorEvents(new RuntimePool(url, options, scopeOrNobody));

/** A pool that sees every tenant, except for work in the scope of one: that uses `tenantPool`. */
export const createScopedPool = (url: string, options: PoolOptions, tenantPool: Pool): Pool =>
  withoutErrorEvents(new ScopedPool(url, options, everyTenant(options), tenantPool));

const everyTenant = ({ statementTimeoutMs }: PoolOptions) => {
  const scope: TenantScope = { tenantId: EVERY_TENANT, actsAs: 'operator', statementTimeoutMs };
  return () => scope;
};

const scopeOrNobody = () => currentScope() ?? NOBODY;

/** pg's words for a pool that has no connection to give. */
const BUSY = /^timeout exceeded when trying to connect$/;

type Connected = Parameters<pg.Pool['connect']>[0];

/** Connections that work for the scope of whoever takes them. */
class RuntimePool extends pg.Pool {
  constructor(
    private readonly url: string,
    private readonly limits: PoolOptions,
    private readonly scopeOf: () => TenantScope,
  ) {
    const { max, connectTimeoutMs = 2_000, name } = limits;
    const route: Pick<Options, 'url'> = { url };
    super({
      ...route,
      Client: RuntimeClient as unknown as new () => pg.ClientBase,
      max,
      connectionTimeoutMillis: connectTimeoutMs,
      // A connection that has planned its statements is worth keeping through a quiet hour.
      idleTimeoutMillis: 3_600_000,
      application_name: `weir-${name}`,
      types: EXACT_TYPES,
    });
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): unknown {
    // Whoever waits for a connection gets it in the midst of somebody else's work.
    const scope = this.scopeOf();
    const connecting = this.take(scope);
    if (!callback) return connecting;
    return connecting.then(
      (client) => callback(undefined, client, client.release),
      (error) => callback(error, undefined, () => {}),
    );
  }

  /** The server that was found last may have handed over to another. */
  private connected(): Promise<pg.PoolClient> {
    const connecting = super.connect();
    const again = endpointOf(this.url).hasChoice ? connecting.catch(() => super.connect()) : connecting;
    const { max, setting } = this.limits;
    return again.catch((error: Error) => {
      if (setting && BUSY.test(error.message)) error.message += `: all ${max} connections of ${setting} are in use`;
      throw error;
    });
  }

  /** One that was given back in the midst of a transaction is not used again. */
  private async take(scope: TenantScope): Promise<pg.PoolClient> {
    for (;;) {
      const client = (await this.connected()) as unknown as RuntimeClient & pg.PoolClient;
      client.scope = scope;
      if (client.transactionStatus === 'I') return client;
      client.release(true);
    }
  }
}

/** Connections that see every row, but for work in the scope of a tenant, which gets one of `tenantPool`. */
class ScopedPool extends RuntimePool {
  constructor(
    url: string,
    options: PoolOptions,
    scopeOf: () => TenantScope,
    private readonly tenantPool: Pool,
  ) {
    super(url, options, scopeOf);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): unknown {
    if (currentScope()) return callback ? this.tenantPool.connect(callback) : this.tenantPool.connect();
    return callback ? super.connect(callback) : super.connect();
  }
}

/** A broken connection is replaced at its next use; without a listener it would end the process. */
function withoutErrorEvents<P extends Pool>(pool: P): P {
  pool.on('error', () => {});
  return pool;
}
