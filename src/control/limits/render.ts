import { publicId } from '../../kernel/ids.js';
import type { Setter } from '../../kernel/setter.js';
import { type Limit, renderMaxima } from '../../quotas/index.js';
import { unixSeconds } from '../http/fields.js';
import type { LimitObject } from './schema.js';

export const renderLimit = (limit: Limit, uncounted: string | null): LimitObject => ({
  id: publicId('limit', limit.id),
  object: 'rate_limit',
  scope: { kind: limit.scopeKind as LimitObject['scope']['kind'], value: limit.scopeValue },
  ...renderMaxima(limit),
  set_by: limit.setBy as Setter,
  version: limit.version,
  uncounted,
  external_id: limit.externalId,
  metadata: limit.metadata as Record<string, string>,
  created_at: unixSeconds(limit.createdAt),
});
