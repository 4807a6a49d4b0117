import { AsyncLocalStorage } from 'node:async_hooks';

/** Sees every row. Only what works for the platform as a whole does: gateways, workers, operators. */
export const EVERY_TENANT = '*';

/** Whose rows are seen and written while a piece of work runs, for whom, and how long one of its statements may take. */
export interface TenantScope {
  /** A tenant's id, or EVERY_TENANT. */
  tenantId: string;
  /** `tenant`: a tenant's own, for whom Postgres refuses to change what an operator set. */
  actsAs: 'operator' | 'tenant';
  statementTimeoutMs: number;
  /** Who does it, for the audit log, as JSON: `{kind, id, request, address}`. Absent: a job. */
  actor?: string;
}

/** Sees nothing. */
export const NOBODY: TenantScope = { tenantId: '', actsAs: 'tenant', statementTimeoutMs: 10_000 };
const scopes = new AsyncLocalStorage<TenantScope>();

/** The scope of the work that is running; undefined: it is the platform's. */
export const currentScope = (): TenantScope | undefined => scopes.getStore();

/** Runs a piece of work in the scope of one tenant: all it starts asks Postgres as that tenant. */
export function inTenantScope<T>(scope: TenantScope, work: () => T): T {
  return scopes.run(scope, () => {
    const result = work();
    // Prisma's promises ask nothing before they are awaited, which may be outside.
    return isThenable(result) ? (Promise.resolve(result) as T) : result;
  });
}

/** Runs work for the platform in the midst of a tenant's: what fills memory that all tenants share must see all of them. */
export const outsideTenantScope = <T>(work: () => Promise<T>): Promise<T> => scopes.exit(async () => work());

/** Goes on in the scope that is running now, whoever asks for the next: a listener sends an answer when the work for it is over. */
export function inThisScope<T>(items: AsyncGenerator<T>): AsyncIterable<T> {
  const next = AsyncLocalStorage.bind(() => items.next());
  return { [Symbol.asyncIterator]: () => ({ next, return: () => items.return(undefined) }) };
}

const isThenable = (value: unknown): boolean => typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
