import type { z } from 'zod';
import type { AdminKey } from '../../api-keys/index.js';
import { publicId } from '../../kernel/ids.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { AdminKeyObject } from './schema.js';

export const renderAdminKey = (key: AdminKey): z.input<typeof AdminKeyObject> => ({
  id: publicId('adminKey', key.id),
  object: key.tenantId === null ? 'operator_key' : 'admin_api_key',
  name: key.name,
  redacted_value: `weir_${key.tenantId === null ? 'op' : 'adm'}_…${key.last4}`,
  role: key.tenantId === null ? null : key.role,
  project_id: key.projectId === null ? null : publicId('project', key.projectId),
  cidrs: [...key.cidrs],
  created_at: unixSeconds(key.createdAt),
  expires_at: unixSecondsOrNull(key.expiresAt),
  revoked_at: unixSecondsOrNull(key.revokedAt),
  previous_value_until: unixSecondsOrNull(key.previousUntil),
});
