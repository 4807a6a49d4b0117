import { type Id, publicId } from './ids.js';
import type { Role } from './permissions.js';
import type { Setter } from './setter.js';

/** Who sends a request to the admin REST, verified. */
export type AdminCaller = Operator | TenantCaller;

/** What keys that it makes are held to as well. */
interface Bounds {
  /** Networks that it comes from; `*` stands for all. */
  cidrs: readonly string[];
  expiresAt: Date | null;
}

/** May do everything, on the platform and inside each tenant. */
interface Operator extends Bounds {
  kind: 'operator';
  /** What it proved that by: an operator key, or as a person who is signed in. */
  by: 'key' | 'person';
  /** Of the key or the person. */
  id: Id;
  tenantId: null;
}

/** An admin key of a tenant, or a person who is signed in. */
interface TenantCaller extends Bounds {
  kind: 'admin_key' | 'person';
  /** Of the key or the person. */
  id: Id;
  tenantId: Id;
  role: Role;
  /** The only project it may see and change; null: all of the tenant. */
  projectId: Id | null;
  /** Its tenant is suspended: it may look, so that it can tell why. */
  isSuspended: boolean;
}

/** Who did it, for records: the public id of the key or the person. */
export const actorOf = (caller: AdminCaller): string =>
  publicId(caller.kind === 'person' || (caller.kind === 'operator' && caller.by === 'person') ? 'person' : 'adminKey', caller.id);

/** Whose rules a caller makes: an operator's are the platform's, also inside a tenant. */
export const actsAs = ({ kind }: AdminCaller): Setter => (kind === 'operator' ? 'operator' : 'tenant');
