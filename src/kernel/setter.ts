import { WeirError } from './errors.js';

/** Who sets rules on a tenant: an operator of the platform, or the tenant itself. */
export const SETTERS = ['operator', 'tenant'] as const;
export type Setter = (typeof SETTERS)[number];

/** Asserts that a rule is not the platform's, or that an operator asks. @throws WeirError platform_rule */
export function assertMayChange(rule: { setBy: string }, by: Setter): void {
  if (rule.setBy === 'operator' && by !== 'operator') throw new WeirError('platform_rule');
}

/** Asserts that who may change a rule is left as it is, or that an operator asks. @throws WeirError platform_rule */
export function assertMaySetSetter(setBy: Setter | undefined, by: Setter): void {
  if (setBy === undefined || by === 'operator') return;
  throw new WeirError('platform_rule', { param: 'set_by', message: 'Only an operator can change "set_by". Leave it out.' });
}
