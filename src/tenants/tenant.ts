/** A customer. Tenants cannot see each other's data. */
export interface Tenant {
  id: string;
  name: string;
  externalId: string | null;
  metadata: unknown;
  /** What a call of unknown price is held and booked for under a hard budget, in nano-USD; null: it is refused. */
  unpricedCallNano: bigint | null;
  /** Answers of calls with an `Idempotency-Key` are kept for repeats. */
  keepsAnswers: boolean;
  /** The model of calls that name none; null: that of the platform. */
  defaultModel: string | null;
  createdAt: Date;
  archivedAt: Date | null;
  /** Since when it makes no new calls; null: it does. */
  suspendedAt: Date | null;
  /** Null: it was not deleted. */
  deletedAt: Date | null;
}

export interface Project {
  tenantId: string;
  id: string;
  name: string;
  externalId: string | null;
  metadata: unknown;
  createdAt: Date;
  archivedAt: Date | null;
  /** The model of calls that name none; null: that of its tenant. */
  defaultModel: string | null;
}

/** Every tenant starts with a project of this name. */
export const DEFAULT_PROJECT = 'default';
