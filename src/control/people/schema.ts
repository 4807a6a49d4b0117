import { z } from 'zod';
import { ROLES } from '../../kernel/permissions.js';
import { MAX_EMAIL } from '../../people/index.js';
import { externalId, idText, name, notEmpty, Timestamp, text } from '../http/fields.js';

export const email = z.email({ error: 'must be an email address' }).max(MAX_EMAIL);

export const roleOfTenant = z.enum(ROLES).describe('`owner` may do everything; docs/people.md lists what the others may.');

export const PROJECT = 'With the role developer or viewer: the only project that the person sees. null: all of the tenant.';

const more = {
  name: name.optional(),
  email: email.optional(),
  disabled: z.boolean().optional().describe('true: the person cannot sign in, and its sessions end.'),
};

export const UpdatePerson = z
  .strictObject({
    ...more,
    role: roleOfTenant.optional(),
    project_id: idText('project').nullable().optional().describe(PROJECT),
    external_id: externalId.nullable().optional(),
  })
  .refine(...notEmpty)
  .meta({ example: { role: 'admin' } });
export type UpdatePerson = z.output<typeof UpdatePerson>;

export const UpdateOperator = z
  .strictObject(more)
  .refine(...notEmpty)
  .meta({ example: { disabled: true } });
export type UpdateOperator = z.output<typeof UpdateOperator>;

export const PersonObject = z
  .strictObject({
    id: z.string(),
    object: z.enum(['organization.user', 'platform.user']),
    email: z.string(),
    name: z.string(),
    role: z.enum([...ROLES, 'operator']),
    project_id: z.string().nullable(),
    external_id: z.string().nullable(),
    has_password: z.boolean(),
    has_second_factor: z.boolean().describe('Whether a code is asked for beside the password.'),
    added_at: Timestamp,
    disabled_at: Timestamp.nullable(),
  })
  .meta({ id: 'Person' });

export const password = text(256).min(12, { error: 'must have at least 12 characters' }).describe('12 to 256 characters.');
