import type { AdminCaller } from '../kernel/admin-caller.js';
import { WeirError } from '../kernel/errors.js';
import { mayAssign } from '../kernel/permissions.js';
import type { PersonRole } from './person.js';

/** Nobody makes a person more than it is itself, nor changes one who is. @throws WeirError insufficient_role */
export function assertMayGive(caller: AdminCaller, role: PersonRole): void {
  if (caller.kind === 'operator' || (role !== 'operator' && mayAssign(caller.role, role))) return;
  throw new WeirError('insufficient_role', { message: `Only an owner may make, change or remove an owner; your role is ${caller.role}.` });
}
