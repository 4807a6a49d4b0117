import type { Role } from '../kernel/permissions.js';

/** What a key may do, where, from which addresses and how long. */
export interface AdminKeyRights {
  /** Of a tenant's; an operator's key may do everything. */
  role: Role;
  /** The only project it works in; null: all of its tenant. */
  projectId: string | null;
  /** Networks such as `10.1.0.0/16`; `*` stands for all. */
  cidrs: readonly string[];
  expiresAt: Date | null;
}

/** A new key. What is absent: an owner's, of all projects, from everywhere, forever. */
export type NewAdminKey = { name: string } & Partial<AdminKeyRights>;

/** A key for the admin REST. The key itself is shown once, when it is made or rotated. */
export interface AdminKey extends AdminKeyRights {
  id: string;
  /** Null: an operator's of the platform. */
  tenantId: string | null;
  name: string;
  last4: string;
  createdAt: Date;
  revokedAt: Date | null;
  /** How long its value from before the last rotation works. */
  previousUntil: Date | null;
}
