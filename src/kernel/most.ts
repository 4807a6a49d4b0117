import { WeirError } from './errors.js';

/** How many rules of a kind, such as budgets, a tenant may have: in all, and on one kind and value of scope, of which `*` is one. */
export interface Most {
  ofTenant: number;
  onScope: number;
}

/** Where there is no room for another. */
export type Full = keyof Most;

/** What whoever adds one too many reads. @param rules e.g. `budgets` */
export function tooMany(rules: string, full: Full, most: Most, scope: { scopeKind: string; scopeValue: string }): WeirError {
  const message =
    full === 'ofTenant'
      ? `A tenant may have at most ${most.ofTenant} ${rules}. Delete one first.`
      : `There may be at most ${most.onScope} ${rules} on one scope, and there are as many on ${scope.scopeKind.replace('_', ' ')} ${scope.scopeValue}. Delete one first.`;
  return new WeirError('too_many', { message, fields: { limit: most[full] } });
}
