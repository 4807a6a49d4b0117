/** Tenants that are remembered; the one that was seen longest ago is forgotten first. */
const MAX_TENANTS = 10_000;
/** A tenant whose calls made a batch fail has its own batches for this long. */
const AVOID_MS = 5_000;
/** A call that touches more rows than this gets a batch away from the others. */
const DEAR_ROWS = 64;

interface Known {
  /** Rows of the last call with so many scopes. */
  rowsByScopes: Map<number, number>;
  /** Of its dearest call. */
  mostRows: number;
  avoidUntil: number;
}

/**
 * How many rows calls touch, periods and counters: what Postgres answered for the last call of the tenant with as many scopes. Of a call that is not
 * known, its scopes.
 */
export class Weights {
  private readonly tenants = new Map<string, Known>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  of(tenantId: string, scopes: number): number {
    return Math.max(1, scopes, this.tenants.get(tenantId)?.rowsByScopes.get(scopes) ?? 0);
  }

  /** Of a call that has been held: how many scopes it had is not known any more. */
  ofHeld(tenantId: string): number {
    return Math.max(1, this.tenants.get(tenantId)?.mostRows ?? 0);
  }

  /** Whether others should not share a batch with a call of this weight. */
  isDear(tenantId: string, rows: number): boolean {
    if (rows > DEAR_ROWS) return true;
    const known = this.tenants.get(tenantId);
    return known !== undefined && known.avoidUntil > this.now();
  }

  learn(tenantId: string, scopes: number, rows: number): void {
    const known = this.tenants.get(tenantId);
    if (known === undefined && rows <= scopes) return;
    const { rowsByScopes, mostRows } = known ?? this.know(tenantId);
    if (rowsByScopes.get(scopes) === rows) return;
    rowsByScopes.set(scopes, rows);
    if (rows < mostRows) this.know(tenantId).mostRows = Math.max(...rowsByScopes.values());
    else this.know(tenantId).mostRows = rows;
  }

  /** Calls of this tenant have made a batch fail, or wait for a lock. */
  avoid(tenantId: string): void {
    this.know(tenantId).avoidUntil = this.now() + AVOID_MS;
  }

  /** What is known of a tenant, which was seen just now. */
  private know(tenantId: string): Known {
    const known = this.tenants.get(tenantId) ?? { rowsByScopes: new Map<number, number>(), mostRows: 0, avoidUntil: 0 };
    this.tenants.delete(tenantId);
    this.tenants.set(tenantId, known);
    if (this.tenants.size > MAX_TENANTS) this.tenants.delete(this.tenants.keys().next().value!);
    return known;
  }
}
