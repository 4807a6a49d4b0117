import type { AdminCaller } from '../kernel/admin-caller.js';
import { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import { mayAssign } from '../kernel/permissions.js';
import type { PersonRole } from './person.js';

/**
 * People stay, and sign in from anywhere: who is held to networks or to an end makes none. An operator gives what it likes inside of a tenant.
 * @param tenantId null: on the platform.
 * @throws WeirError forbidden
 */
export function assertMayInvite(caller: AdminCaller, tenantId: Id | null): void {
  if (caller.kind === 'operator' && tenantId !== null) return;
  if (caller.expiresAt === null && caller.cidrs.includes('*')) return;
  throw new WeirError('forbidden', {
    message:
      'Your key has an end, or works from some networks only. A person would not be held to that, so the key invites nobody, gives nobody a role and sets no identity provider. Use a key without such bounds, or sign in.',
  });
}

/** Nobody makes a person more than it is itself, nor changes one who is. @throws WeirError insufficient_role */
export function assertMayGive(caller: AdminCaller, role: PersonRole): void {
  if (caller.kind === 'operator' || (role !== 'operator' && mayAssign(caller.role, role))) return;
  throw new WeirError('insufficient_role', { message: `Only an owner may make, change or remove an owner; your role is ${caller.role}.` });
}
