/** What budgets and rate limits have in common. */
export interface Rule {
  tenantId: string;
  id: string;
  scopeKind: string;
  /** The public id of the tenant, project or key; a name; or `*` for each. */
  scopeValue: string;
  /** `operator`: the platform's rule, which the tenant cannot change. */
  setBy: string;
  externalId: string | null;
  metadata: unknown;
  /** Rises with each change; the ETag. */
  version: number;
  createdAt: Date;
}
