import { z } from 'zod';
import type { AdminKey } from '../../api-keys/index.js';
import { publicId } from '../../kernel/ids.js';
import { name, Timestamp, unixSeconds, unixSecondsOrNull } from './common.js';

export const CreateAdminKey = z.strictObject({ name });
export type CreateAdminKey = z.output<typeof CreateAdminKey>;

export const AdminKeyObject = z
  .strictObject({
    id: z.string(),
    object: z.enum(['admin_api_key', 'operator_key']),
    name: z.string(),
    redacted_value: z.string(),
    created_at: Timestamp,
    expires_at: Timestamp.nullable(),
    revoked_at: Timestamp.nullable(),
    previous_value_until: Timestamp.nullable().describe('When the value from before the last rotation stops working.'),
  })
  .meta({ id: 'AdminKey' });

export const NewAdminKeyObject = AdminKeyObject.extend({ value: z.string().describe('The key itself. Shown only once.') }).meta({
  id: 'NewAdminKey',
});

export const renderAdminKey = (key: AdminKey): z.input<typeof AdminKeyObject> => ({
  id: publicId('adminKey', key.id),
  object: key.tenantId === null ? 'operator_key' : 'admin_api_key',
  name: key.name,
  redacted_value: `weir_${key.tenantId === null ? 'op' : 'adm'}_…${key.last4}`,
  created_at: unixSeconds(key.createdAt),
  expires_at: unixSecondsOrNull(key.expiresAt),
  revoked_at: unixSecondsOrNull(key.revokedAt),
  previous_value_until: unixSecondsOrNull(key.previousUntil),
});
