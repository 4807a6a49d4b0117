import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';

/** Sees every row. Only what works for the platform as a whole does: gateways, workers, operators. */
export const EVERY_TENANT = '*';

/** Whose rows are seen and written while a piece of work runs, for whom, and how long one of its statements may take. */
export interface TenantScope {
  /** A tenant's id, or EVERY_TENANT. */
  tenantId: string;
  /** `tenant`: a tenant's own, for whom Postgres refuses to change what an operator set. */
  actsAs: 'operator' | 'tenant';
  statementTimeoutMs: number;
}

const NOBODY: TenantScope = { tenantId: '', actsAs: 'tenant', statementTimeoutMs: 10_000 };
const scopes = new AsyncLocalStorage<TenantScope>();

/** Runs a piece of work behind the wall of one tenant: all it starts asks Postgres as that tenant. */
export function inTenantScope<T>(scope: TenantScope, work: () => T): T {
  return scopes.run(scope, () => {
    const result = work();
    // Prisma's promises ask nothing before they are awaited, which may be outside.
    return isThenable(result) ? (Promise.resolve(result) as T) : result;
  });
}

/** Runs work for the platform in the midst of a tenant's: what fills memory that all tenants share must see all of them. */
export const outsideTenantScope = <T>(work: () => Promise<T>): Promise<T> => scopes.exit(async () => work());

const isThenable = (value: unknown): boolean => typeof (value as { then?: unknown } | null | undefined)?.then === 'function';

type Connected = Parameters<pg.Pool['connect']>[0];

/** Connections that see the rows of the tenant they are taken for, and none without one. The tenant is set at each checkout, so none is left over. */
export class WalledPool extends pg.Pool {
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): unknown {
    const connecting = this.enter(scopes.getStore() ?? NOBODY);
    if (!callback) return connecting;
    return connecting.then(
      (client) => callback(undefined, client, client.release),
      (error) => callback(error, undefined, () => {}),
    );
  }

  private async enter({ tenantId, actsAs, statementTimeoutMs }: TenantScope): Promise<pg.PoolClient> {
    const client = await super.connect();
    try {
      await client.query({ name: 'enter_scope', text: ENTER_SCOPE, values: [tenantId, String(statementTimeoutMs), actsAs] });
      return client;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }
}

const ENTER_SCOPE = `SELECT set_config('weir.tenant', $1, false), set_config('statement_timeout', $2, false),
  set_config('weir.admin', $3, false)`;

/** Connections that see every row, but for work in the scope of a tenant, which gets a walled one. */
export class ScopedPool extends pg.Pool {
  constructor(
    config: pg.PoolConfig,
    private readonly walled: WalledPool,
  ) {
    super(config);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): unknown {
    if (scopes.getStore()) return callback ? this.walled.connect(callback) : this.walled.connect();
    return callback ? super.connect(callback) : super.connect();
  }
}
