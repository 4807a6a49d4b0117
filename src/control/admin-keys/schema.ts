import { z } from 'zod';
import { ROLES } from '../../kernel/permissions.js';
import { cidrs, expiry, idText, name, notEmpty, Timestamp } from '../http/fields.js';

const role = z.enum(ROLES);
const projectId = idText('project').nullable().describe('The only project it works in. null: all.');
const expiresAt = expiry.nullable().describe('null: it does not expire.');

export const CreateOperatorKey = z
  .strictObject({ name, cidrs: cidrs.optional(), expires_at: expiresAt.optional() })
  .meta({ example: { name: 'night shift', cidrs: ['10.1.0.0/16'] } });

export type CreateOperatorKey = z.output<typeof CreateOperatorKey>;

export const CreateAdminKey = CreateOperatorKey.extend({
  role: role.optional().describe('What it may do. Absent: what the key that makes it may do.'),
  project_id: projectId.optional(),
}).meta({ example: { name: 'deployment', role: 'admin' } });

export type CreateAdminKey = z.output<typeof CreateAdminKey>;

export const UpdateOperatorKey = CreateOperatorKey.partial()
  .refine(...notEmpty)
  .meta({ example: { cidrs: ['*'] } });

export type UpdateOperatorKey = z.output<typeof UpdateOperatorKey>;

export const UpdateAdminKey = CreateAdminKey.partial()
  .extend({ role: role.optional() })
  .refine(...notEmpty)
  .meta({ example: { role: 'viewer' } });

export type UpdateAdminKey = z.output<typeof UpdateAdminKey>;

export const AdminKeyObject = z
  .strictObject({
    id: z.string(),
    object: z.enum(['admin_api_key', 'operator_key']),
    name: z.string(),
    redacted_value: z.string(),
    role: role.nullable().describe('What it may do in its tenant. null: everything, as an operator.'),
    project_id: z.string().nullable(),
    cidrs: z.array(z.string()),
    created_at: Timestamp,
    expires_at: Timestamp.nullable(),
    revoked_at: Timestamp.nullable(),
    previous_value_until: Timestamp.nullable().describe('When the value from before the last rotation stops working.'),
  })
  .meta({ id: 'AdminKey' });

export const NewAdminKeyObject = AdminKeyObject.extend({ value: z.string().describe('The key itself. Shown only once.') }).meta({
  id: 'NewAdminKey',
});
