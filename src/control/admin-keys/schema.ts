import { z } from 'zod';
import { name, Timestamp } from '../http/fields.js';

export const CreateAdminKey = z.strictObject({ name }).meta({ example: { name: 'deployment' } });

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
