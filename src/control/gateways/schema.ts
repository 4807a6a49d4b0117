import { z } from 'zod';
import { Currency, Money, Timestamp, text } from '../http/fields.js';

export const ForgetGateway = z
  .strictObject({
    reason: text(1_000).min(1).describe('How you know that the process is gone. Kept with the gateway.'),
  })
  .meta({ example: { reason: 'its machine was deleted' } });

export type ForgetGateway = z.output<typeof ForgetGateway>;

export const HoldingObject = z.strictObject({ calls: z.number().int(), amount: Money });

export const GatewayObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('gateway'),
    host: z.string().nullable().describe('Null: started by an older version.'),
    process_id: z.number().int().nullable(),
    started_at: Timestamp.nullable(),
    last_seen_at: Timestamp.nullable().describe('When it last confirmed its open calls. null: it has none, or is known to be gone.'),
    open: HoldingObject.describe('Calls that are not booked yet, and the money held for them.'),
    held_apart: HoldingObject.describe('Calls that are booked as an estimate, and the money still held in case they cost more.'),
    currency: Currency,
    gone_at: Timestamp.nullable().describe('When it became known that it is gone.'),
  })
  .meta({ id: 'Gateway' });

export const ForgottenGateway = z.strictObject({
  id: z.string(),
  object: z.literal('gateway'),
  forgotten: z.literal(true),
  booked: z.number().int().describe('Open calls that are now booked as estimates.'),
  freed: HoldingObject.describe('Money that was held apart and can be spent again.'),
  currency: Currency,
});
