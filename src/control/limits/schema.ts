import { z } from 'zod';
import { LimitMaxima } from '../../quotas/index.js';
import { externalId, Metadata, metadata, notEmpty, SetBy, setBy, Timestamp, Uncounted } from '../http/fields.js';
import { ScopeObject, scope } from '../scopes/schema.js';

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
  )
  .meta({ example: { scope: { kind: 'tenant' }, max_requests_per_1_minute: 600, max_concurrent_requests: 20 } });

export type CreateLimit = z.output<typeof CreateLimit>;

export const UpdateLimit = z
  .strictObject({ ...LIMITS, set_by: setBy, metadata: metadata.optional() })
  .refine(...notEmpty)
  .meta({ example: { max_requests_per_1_minute: 1200 } });

export type UpdateLimit = z.output<typeof UpdateLimit>;

export const LimitObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('rate_limit'),
    scope: ScopeObject,
    ...LimitMaxima,
    set_by: SetBy,
    version: z.number().int().describe('The ETag.'),
    uncounted: Uncounted,
    external_id: z.string().nullable(),
    metadata: Metadata,
    created_at: Timestamp,
  })
  .meta({ id: 'RateLimit' });

export type LimitObject = z.input<typeof LimitObject>;
