import { z } from 'zod';
import { ROLES } from '../../kernel/permissions.js';
import { idText, name, Timestamp, text } from '../http/fields.js';
import { email, PROJECT, password, roleOfTenant } from '../people/schema.js';

export const CreateInvite = z
  .strictObject({
    email,
    role: roleOfTenant,
    project_id: idText('project').nullable().default(null).describe(PROJECT),
  })
  .meta({ example: { email: 'ada@example.com', role: 'developer' } });
export type CreateInvite = z.output<typeof CreateInvite>;

export const InviteOperator = z.strictObject({ email }).meta({ example: { email: 'ada@example.com' } });
export type InviteOperator = z.output<typeof InviteOperator>;

export const token = text(128).min(1);

export const AcceptInvite = z
  .strictObject({ token, name, password })
  .meta({ example: { token: 'Q0vHh7zvWGg9pVxX1dEJr3m2c6yqk0bXW4b6s0T1u2A', name: 'Ada', password: 'correct horse battery' } });
export type AcceptInvite = z.output<typeof AcceptInvite>;

export const InviteObject = z
  .strictObject({
    id: z.string(),
    object: z.enum(['organization.invite', 'platform.invite']),
    email: z.string(),
    role: z.enum([...ROLES, 'operator']),
    project_id: z.string().nullable(),
    status: z.enum(['pending', 'accepted', 'expired', 'revoked']),
    created_by: z.string(),
    created_at: Timestamp,
    expires_at: Timestamp,
    accepted_at: Timestamp.nullable(),
    revoked_at: Timestamp.nullable(),
  })
  .meta({ id: 'Invite' });

export const NewInviteObject = InviteObject.extend({
  token: z.string().describe('What the person accepts the invite with. Shown only once: give it to that person alone.'),
}).meta({ id: 'NewInvite' });
