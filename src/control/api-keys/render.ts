import type { z } from 'zod';
import type { ApiKey } from '../../api-keys/index.js';
import type { Endpoint } from '../../kernel/endpoints.js';
import { publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import type { Setter } from '../../kernel/setter.js';
import { type ThinkingLevel } from '../../kernel/thinking.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { ApiKeyObject } from './schema.js';

export const renderApiKey = (key: ApiKey): z.input<typeof ApiKeyObject> => ({
  id: publicId('apiKey', key.id),
  object: 'api_key',
  name: key.name,
  redacted_value: `weir_sk_…${key.last4}`,
  project_id: publicId('project', key.projectId),
  models: [...key.models],
  endpoints: [...key.endpoints] as Endpoint[],
  cidrs: [...key.cidrs],
  max_output_tokens: key.maxOutputTokens,
  max_cost_per_call: key.maxCallNano === null ? null : formatUsd(key.maxCallNano),
  fit: key.fit as 'shrink' | null,
  thinking_level: key.thinkingLevel as ThinkingLevel | null,
  unsupported: key.unsupported as 'drop' | null,
  default_model: key.defaultModel,
  metadata: key.metadata as Record<string, string>,
  disabled: key.disabledAt !== null,
  created_by: key.createdBy,
  set_by: key.setBy as Setter,
  created_at: unixSeconds(key.createdAt),
  expires_at: unixSecondsOrNull(key.expiresAt),
  last_used_at: unixSecondsOrNull(key.lastUsedAt),
  revoked_at: unixSecondsOrNull(key.revokedAt),
  previous_value_until: unixSecondsOrNull(key.previousUntil),
});
