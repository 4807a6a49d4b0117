/** How fast, and how many at once, calls of a scope may come. At least one of the three is set. */
export interface Limit {
  tenantId: string;
  id: string;
  scopeKind: string;
  /** The public id of the tenant, project or key; a name; or `*` for each value by itself. */
  scopeValue: string;
  requestsPerMinute: number | null;
  /** Of the worst case while a call is in flight, of what it really used afterwards. */
  tokensPerMinute: number | null;
  /** Calls in flight. */
  concurrency: number | null;
  /** `operator`: the platform's rule, which the tenant cannot change. */
  setBy: string;
  externalId: string | null;
  metadata: unknown;
  /** Rises with each change; the ETag. */
  version: number;
  createdAt: Date;
}
