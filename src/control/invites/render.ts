import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { Invite } from '../../people/index.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { InviteObject } from './schema.js';

export const renderInvite = (invite: Invite): z.input<typeof InviteObject> => ({
  id: publicId('invite', invite.id),
  object: invite.tenantId === null ? 'platform.invite' : 'organization.invite',
  email: invite.email,
  role: invite.role,
  project_id: invite.projectId && publicId('project', invite.projectId),
  status: invite.status,
  created_by: invite.createdBy,
  created_at: unixSeconds(invite.createdAt),
  expires_at: unixSeconds(invite.expiresAt),
  accepted_at: unixSecondsOrNull(invite.acceptedAt),
  revoked_at: unixSecondsOrNull(invite.revokedAt),
});
