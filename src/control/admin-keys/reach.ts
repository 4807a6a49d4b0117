import type { AdminKeyRights } from '../../api-keys/index.js';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { WeirError } from '../../kernel/errors.js';
import { publicId } from '../../kernel/ids.js';
import { mayAssign } from '../../kernel/permissions.js';
import { liesWithin } from '../../platform/listener/index.js';

/** What a new key may do where its maker does not say: what the maker may. */
export function rightsOf(caller: AdminCaller, owner: string | null): AdminKeyRights {
  if (caller.kind !== 'operator') return caller;
  const { cidrs, expiresAt } = owner === null ? caller : { cidrs: ['*'], expiresAt: null };
  return { role: 'owner', projectId: null, cidrs, expiresAt };
}

/** Asserts that a caller may end a key of these rights. @throws WeirError insufficient_role */
export function assertMayEnd(caller: AdminCaller, { role }: AdminKeyRights): void {
  if (caller.kind === 'operator' || mayAssign(caller.role, role)) return;
  throw new WeirError('insufficient_role', {
    message: `A key with the role ${role} is for one with that role to make or change; yours is ${caller.role}.`,
  });
}

/**
 * Asserts that a key with these rights has none that the caller has not. An operator gives what it likes inside of a tenant.
 * @throws WeirError insufficient_role, forbidden
 */
export function assertWithin(caller: AdminCaller, owner: string | null, rights: AdminKeyRights): void {
  assertMayEnd(caller, rights);
  if (caller.kind === 'operator' && owner !== null) return;
  if (caller.kind !== 'operator' && caller.projectId !== null && rights.projectId !== caller.projectId)
    throw beyond('project_id', `Your key works in one project. Send "${publicId('project', caller.projectId)}".`);
  assertWithinBounds(caller, rights);
}

/** Asserts that a key works from no other networks than the caller, and no longer. @throws WeirError forbidden */
export function assertWithinBounds(caller: AdminCaller, rights: Pick<AdminKeyRights, 'cidrs' | 'expiresAt'>): void {
  if (!rights.cidrs.every((inner) => caller.cidrs.some((outer) => outer === '*' || (inner !== '*' && liesWithin(inner, outer)))))
    throw beyond('cidrs', `Your key may be used from ${caller.cidrs.join(', ')} only, and makes no key for other addresses.`);
  if (caller.expiresAt !== null && (rights.expiresAt === null || rights.expiresAt > caller.expiresAt))
    throw beyond('expires_at', `Your key expires at ${caller.expiresAt.toISOString()}, and makes no key that lasts longer.`);
}

const beyond = (param: string, message: string): WeirError => new WeirError('forbidden', { param, message });
