import { z } from 'zod';
import { PricedRatesObject } from '../../prices/index.js';
import { MATCH_KINDS } from '../../routes/index.js';
import { FALLBACK_REASONS } from '../../routing/index.js';
import { idText } from '../http/fields.js';

const limit = z.number().int().min(1).nullable().optional();

/** A call's body, in the format of any endpoint. */
export const ResolveModel = z
  .looseObject({
    api_key: idText('apiKey').optional().describe('Resolve as this API key. Absent: as a key that may use every model.'),
    model: z.string().max(256).nullable().optional(),
    models: z.array(z.string()).nullable().optional(),
    fallbacks: z.array(z.string()).nullable().optional(),
    max_tokens: limit,
    max_completion_tokens: limit,
    max_output_tokens: limit,
  })
  .meta({ example: { model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] } });
export type ResolveModel = z.output<typeof ResolveModel>;

const nullableInt = z.number().int().nullable();

export const ResolutionObject = z
  .strictObject({
    object: z.literal('model.resolution'),
    requested_model: z.string(),
    route: z
      .strictObject({
        id: z.string(),
        name: z.string(),
        match: z.strictObject({ kind: z.enum(MATCH_KINDS), value: z.string() }),
        owner: z.enum(['tenant', 'platform']),
      })
      .nullable()
      .describe('The route that the model matches. null: it is a reference.'),
    targets: z
      .array(
        z.strictObject({
          model: z.string().describe('`provider/model-id`.'),
          provider: z.string(),
          credential: z.string().nullable().describe('The one key that the route names. null: any key of the provider.'),
          max_output_tokens: z.number().int().describe('The output limit that the call would have.'),
          context_window: nullableInt,
          price: z.strictObject(PricedRatesObject).nullable(),
        }),
      )
      .describe('The targets that the call would be tried at, in order. Empty: the call would be refused.'),
    skipped: z.array(z.strictObject({ model: z.string(), reason: z.string() })),
    policy: z.strictObject({
      retries: z.number().int(),
      attempts: z.number().int(),
      deadline_ms: nullableInt,
      fallback_on: z.array(z.enum(FALLBACK_REASONS)),
    }),
  })
  .meta({ id: 'ModelResolution' });
