import { z } from 'zod';
import { Money, Timestamp } from '../http/fields.js';

const found = z.boolean().nullable();

/** What a probe found. It never holds a word of the provider's. */
export const Capabilities = z
  .strictObject({
    ok: z.boolean(),
    class: z
      .string()
      .describe(
        '`ok`, or why not: `unreachable`, `refused`, `timeout`, `interrupted`, `auth`, `billing`, `rate_limit`, `model_not_found`, …',
      ),
    latency_ms: z.number().int().describe('Of the first answer.'),
    model: z.string().nullable().describe('Null: no model was known, so only the address and the key were checked.'),
    chat: found,
    streaming: found,
    tools: found,
    usage: found.describe('Whether it reports token usage.'),
    embeddings: found,
    input_tokens: z.number().int(),
    output_tokens: z.number().int(),
    cost: Money.nullable().describe('What the provider bills for the probe, at the price of the model. Not booked. Null: unknown.'),
    checked_at: Timestamp,
  })
  .meta({ id: 'ProviderCapabilities' });
