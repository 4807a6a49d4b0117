import { WeirError } from './errors.js';
import type { IdKind } from './ids.js';

/** What can be missing: what has an id, and what shares its kind of id with another thing. */
type Thing = IdKind | 'operatorKey';

const NOUNS: Record<Thing, string> = {
  tenant: 'tenant',
  project: 'project',
  apiKey: 'API key',
  adminKey: 'admin key',
  operatorKey: 'operator key',
  provider: 'provider',
  credential: 'key of the provider',
  connection: 'connection',
  price: 'price',
  model: 'entry for a model',
  route: 'route',
  budget: 'budget',
  period: 'period',
  limit: 'limit',
  grant: 'grant',
  approval: 'approval',
  call: 'call',
  gateway: 'gateway that holds money',
  binding: 'binding',
  auditLine: 'line of the audit log',
  egressRule: 'egress rule',
  webhook: 'webhook',
  delivery: 'delivery',
  person: 'person',
  invite: 'invite',
  adminSession: 'session',
};

/** @throws WeirError not_found when there is nothing. */
export function found<T>(kind: Thing, value: T | null, param?: string): T {
  if (value === null) throw new WeirError('not_found', { param, message: `There is no such ${NOUNS[kind]}.` });
  return value;
}
