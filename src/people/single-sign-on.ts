import type { Id } from '../kernel/ids.js';
import type { Role } from '../kernel/permissions.js';

/** How a tenant's people sign in through its identity provider. */
export interface SingleSignOn {
  tenantId: Id;
  issuer: string;
  clientId: string;
  /** Sealed. Null: a public client. */
  clientSecret: Buffer | null;
  /** Of email addresses; empty: any. */
  allowedDomains: string[];
  /** The claim that tells the role; null: roles are managed here. */
  roleClaim: string | null;
  /** By the value of the claim. */
  roles: Record<string, Role>;
  /** Of whom the claim gives none; null: they may not sign in. */
  defaultRole: Role | null;
  /** Whoever signs in for the first time becomes a member, without an invite. */
  createsPeople: boolean;
  /** The tenant's people sign in no other way. */
  required: boolean;
  version: number;
  updatedAt: Date;
}
