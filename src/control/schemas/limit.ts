import { z } from 'zod';
import { SCOPE_KINDS } from '../../budgets/index.js';
import { publicId } from '../../kernel/ids.js';
import type { Setter } from '../../kernel/setter.js';
import type { Limit } from '../../limits/index.js';
import { scope } from './budget.js';
import { externalId, Metadata, metadata, notEmpty, SetBy, setBy, Timestamp, Uncounted, unixSeconds } from './common.js';

const MOST = 2 ** 31 - 1;
const MAX_TOKENS = 1e12;

const requests = z.number().int().min(0).max(MOST).nullable().optional().describe('Requests in any 60 seconds. null: not limited.');
const tokens = z
  .number()
  .int()
  .min(0)
  .max(MAX_TOKENS)
  .nullable()
  .optional()
  .describe(
    'Tokens in any 60 seconds. A running call counts with the most it may use, a finished one with what it used. null: not limited.',
  );
const concurrency = z.number().int().min(0).max(MOST).nullable().optional().describe('Calls at a time. null: not limited.');

const LIMITS = { max_requests_per_1_minute: requests, max_tokens_per_1_minute: tokens, max_concurrent_requests: concurrency };

export const CreateLimit = z
  .strictObject({
    scope: scope.describe('Whose calls it counts.'),
    ...LIMITS,
    external_id: externalId.optional(),
    metadata: metadata.optional(),
  })
  .refine(
    (limit) =>
      [limit.max_requests_per_1_minute, limit.max_tokens_per_1_minute, limit.max_concurrent_requests].some((value) => value != null),
    {
      error: 'limits nothing. Set max_requests_per_1_minute, max_tokens_per_1_minute or max_concurrent_requests',
    },
  );
export type CreateLimit = z.output<typeof CreateLimit>;

export const UpdateLimit = z.strictObject({ ...LIMITS, set_by: setBy, metadata: metadata.optional() }).refine(...notEmpty);
export type UpdateLimit = z.output<typeof UpdateLimit>;

export const LimitObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('rate_limit'),
    scope: z.strictObject({ kind: z.enum(SCOPE_KINDS), value: z.string() }),
    max_requests_per_1_minute: z.number().int().nullable(),
    max_tokens_per_1_minute: z.number().int().nullable(),
    max_concurrent_requests: z.number().int().nullable(),
    set_by: SetBy,
    version: z.number().int().describe('The ETag.'),
    uncounted: Uncounted,
    external_id: z.string().nullable(),
    metadata: Metadata,
    created_at: Timestamp,
  })
  .meta({ id: 'RateLimit' });
type LimitObject = z.input<typeof LimitObject>;

export const renderLimit = (limit: Limit, uncounted: string | null): LimitObject => ({
  id: publicId('limit', limit.id),
  object: 'rate_limit',
  scope: { kind: limit.scopeKind as LimitObject['scope']['kind'], value: limit.scopeValue },
  max_requests_per_1_minute: limit.requestsPerMinute,
  max_tokens_per_1_minute: limit.tokensPerMinute,
  max_concurrent_requests: limit.concurrency,
  set_by: limit.setBy as Setter,
  version: limit.version,
  uncounted,
  external_id: limit.externalId,
  metadata: limit.metadata as Record<string, string>,
  created_at: unixSeconds(limit.createdAt),
});
