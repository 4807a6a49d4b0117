import { WeirError } from './errors.js';
import type { IdKind } from './ids.js';

const NOUNS: Record<IdKind, string> = {
  tenant: 'tenant',
  project: 'project',
  apiKey: 'API key',
  adminKey: 'admin key',
  provider: 'provider',
  credential: 'credential',
  connection: 'connection',
  price: 'price',
  model: 'entry for a model',
  budget: 'budget',
  period: 'period',
  limit: 'limit',
  grant: 'grant',
  call: 'call',
  gateway: 'gateway that holds money',
};

/** @throws WeirError not_found when there is nothing. */
export function found<T>(kind: IdKind, value: T | null, param?: string): T {
  if (value === null) throw new WeirError('not_found', { param, message: `There is no such ${NOUNS[kind]}.` });
  return value;
}
