import type { IdKind } from '../kernel/ids.js';

/** What the audit log is about, as its triggers call it, and what kind of id it has; null: none of its own. */
export const RESOURCES = {
  tenant: 'tenant',
  project: 'project',
  api_key: 'apiKey',
  admin_key: 'adminKey',
  provider: 'provider',
  'provider.grant': 'provider',
  'provider.headers': 'provider',
  'provider.key': 'credential',
  'provider.connection': 'connection',
  model: 'model',
  price: 'price',
  budget: 'budget',
  'budget.grant': 'grant',
  rate_limit: 'limit',
  route: 'route',
  inference_route: null,
  binding: 'binding',
  gateway: 'gateway',
  ledger_entry: 'call',
  egress_rule: 'egressRule',
  webhook: 'webhook',
  approval: 'approval',
  person: 'person',
  invite: 'invite',
  single_sign_on: 'tenant',
  sign_in_link: 'person',
} as const satisfies Record<string, IdKind | null>;
type AuditedResource = keyof typeof RESOURCES;

/** A line of the audit log: one row that was changed. */
export interface AuditLine {
  id: string;
  at: Date;
  /** Null: the platform. */
  tenantId: string | null;
  /** Of what was changed; null: it is of no project. */
  projectId: string | null;
  projectName: string | null;
  /** Such as `api_key.updated`. */
  event: string;
  resource: AuditedResource;
  resourceId: string | null;
  actorKind: 'operator' | 'admin_key' | 'person' | 'job';
  /** A public id; of a job, the pool it worked with. */
  actorId: string;
  requestId: string | null;
  address: string | null;
  /** Columns, as JSON. Null: there was nothing, or it was erased with its tenant. */
  before: string | null;
  after: string | null;
}

/** Which lines, and which part of them. What is absent: all. */
export interface AuditQuery {
  after?: string;
  before?: string;
  limit: number;
  order: 'asc' | 'desc';
  events?: readonly string[];
  actorIds?: readonly string[];
  resourceIds?: readonly string[];
  projectIds?: readonly string[];
  from?: Date;
  until?: Date;
}
