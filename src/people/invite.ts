import type { Id } from '../kernel/ids.js';
import type { PersonRole } from './person.js';

/** An invitation to become a member of a tenant, or an operator. */
export interface Invite {
  id: Id;
  /** Null: to the platform. */
  tenantId: Id | null;
  projectId: Id | null;
  email: string;
  role: PersonRole;
  createdBy: string;
  createdAt: Date;
  expiresAt: Date;
  acceptedAt: Date | null;
  revokedAt: Date | null;
  status: 'pending' | 'accepted' | 'expired' | 'revoked';
}
