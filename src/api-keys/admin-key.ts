/** A key for the admin REST. The key itself is shown once, when it is made or rotated. */
export interface AdminKey {
  id: string;
  /** Null: an operator's of the platform. */
  tenantId: string | null;
  name: string;
  last4: string;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  /** How long its value from before the last rotation works. */
  previousUntil: Date | null;
}
