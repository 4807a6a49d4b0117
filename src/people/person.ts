import type { Id } from '../kernel/ids.js';
import type { Role } from '../kernel/permissions.js';

/** What a person is: `operator` of the platform, or something in a tenant. */
export type PersonRole = Role | 'operator';

/** Somebody who signs in: a member of one tenant, or an operator of the platform. */
export interface Person {
  id: Id;
  /** Null: an operator of the platform. */
  tenantId: Id | null;
  /** The only project the person may see and change; null: all of the tenant. */
  projectId: Id | null;
  email: string;
  name: string;
  role: PersonRole;
  hasPassword: boolean;
  hasSecondFactor: boolean;
  /** What the tenant's directory calls it. */
  externalId: string | null;
  createdAt: Date;
  disabledAt: Date | null;
}

/** The longest address of a mailbox, by RFC 5321. */
export const MAX_EMAIL = 254;

/** As addresses are stored and compared. */
export const emailOf = (text: string): string => text.normalize('NFC').trim().toLowerCase();
