import { z } from 'zod';
import { Currency, Money, Timestamp } from '../platform/openapi/index.js';
import { CALL_STATUSES } from './call.js';
import { usageFields } from './usage-fields.js';

/** What `renderCall` returns. */
export const CallObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('call'),
    created_at: Timestamp,
    status: z.enum(CALL_STATUSES),
    http_status: z.number().int(),
    error_code: z.string().nullable(),
    surface: z.string(),
    stream: z.boolean(),
    requested_model: z.string(),
    served_model: z.string().nullable(),
    provider: z.string(),
    lent: z
      .boolean()
      .nullable()
      .describe('true: the provider belongs to the platform, so only an operator can re-rate the call. null: booked by an older version.'),
    finish_reason: z.string().nullable(),
    project_id: z.string(),
    api_key_id: z.string(),
    end_user: z.string().nullable(),
    session: z.string().nullable(),
    tags: z.array(z.string()),
    scopes: z.array(z.string()),
    usage: z.strictObject(usageFields('call', { input: 'All input tokens: uncached, cache reads and cache writes.' })),
    cost: Money.nullable().describe('What is charged: the sum of all bookings of the call. Null: the price was unknown.'),
    provider_cost: Money.nullable().describe(
      'What the provider takes for the call: the cost that it reported, or else by its listed price. Re-rating does not change it. Null: unknown, or the platform pays for the provider. Operators see that too.',
    ),
    currency: Currency,
    estimated: z.boolean().describe("Weir estimated the usage, because the provider's final count never arrived."),
    attempts: z.array(
      z.strictObject({
        provider: z.string(),
        model: z.string().optional().describe('Absent: booked by an older version.'),
        credential_id: z.string().nullable(),
        status: z.number().int().nullable(),
        reason: z.string().nullable(),
        latency_ms: z.number().nullable().describe('Null: it was under way when the process that made it was lost.'),
        cost: Money.nullable()
          .optional()
          .describe('What the attempt was booked for, without later corrections. Null: the price was unknown. Absent: it cost nothing.'),
      }),
    ),
    first_byte_ms: z.number().nullable(),
    duration_ms: z.number().nullable(),
  })
  .meta({ id: 'Call' });
