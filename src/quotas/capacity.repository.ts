import type { PoolClient } from 'pg';
import { WeirError } from '../kernel/errors.js';
import { sqlFunction } from '../platform/postgres/index.js';
import type { Rule } from './rule.js';
import { scopeText } from './scope.js';

/** How many rules of a kind, such as budgets, a tenant may have: in all, and on one kind and value of scope, of which `*` is one. */
export interface MaxRules {
  ofTenant: number;
  onScope: number;
}

const NAMES = { budgets: 'budgets', limits: 'rate limits' };

/** Comes before a rule is inserted, in the same transaction. @param max null: any number. @throws WeirError too_many when there is no room for another. */
export async function assertCapacity(
  client: PoolClient,
  table: keyof typeof NAMES,
  rule: Pick<Rule, 'tenantId' | 'scopeKind' | 'scopeValue'>,
  max: MaxRules | null,
): Promise<void> {
  if (!max) return;
  const { rows } = await client.query<{ reached: keyof MaxRules | null }>(
    `SELECT ${sqlFunction('full_for')}($1, $2, $3, $4, $5, $6) AS reached`,
    [table, rule.tenantId, rule.scopeKind, rule.scopeValue, max.ofTenant, max.onScope],
  );
  const { reached } = rows[0]!;
  if (!reached) return;
  const message =
    reached === 'ofTenant'
      ? `A tenant may have at most ${max.ofTenant} ${NAMES[table]}. Delete one first.`
      : `There may be at most ${max.onScope} ${NAMES[table]} on one scope, and there are as many on ${scopeText(rule)}. Delete one first.`;
  throw new WeirError('too_many', { message, fields: { limit: max[reached] } });
}
