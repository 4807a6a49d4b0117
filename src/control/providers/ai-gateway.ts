import { z } from 'zod';

const MAX_METADATA = 5;
const MAX_TTL_SECONDS = 31_536_000;

/** Goes into a header as it is. */
const headerText = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, { error: 'must be printable ASCII characters without a space at either end' });

export const AiGatewayOptions = z.strictObject({
  id: headerText(64).optional().describe('The gateway of the account, if the base URL does not name it.'),
  skip_cache: z.boolean().optional(),
  cache_ttl: z.number().int().min(0).max(MAX_TTL_SECONDS).optional().describe('Seconds.'),
  cache_key: headerText(256).optional(),
  collect_log: z.boolean().optional(),
  event_id: headerText(256).optional(),
  metadata: z
    .record(headerText(64), z.union([headerText(256), z.number(), z.boolean()]))
    .refine((metadata) => Object.keys(metadata).length <= MAX_METADATA, { error: `must have at most ${MAX_METADATA} keys` })
    .optional(),
});
