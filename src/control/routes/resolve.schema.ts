import { z } from 'zod';
import { DEFAULT_OWNERS, LIMIT_SOURCES } from '../../kernel/plan-sources.js';
import { Currency, Money } from '../../platform/openapi/index.js';
import { PricedRatesObject } from '../../prices/index.js';
import { LimitMaxima } from '../../quotas/index.js';
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
    n: z.number().int().min(1).nullable().optional(),
    reasoning_effort: z.string().nullable().optional(),
  })
  .meta({ example: { model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] } });
export type ResolveModel = z.output<typeof ResolveModel>;

const nullableInt = z.number().int().nullable();
const scope = z.strictObject({ kind: z.string(), value: z.string() });

export const ResolutionObject = z
  .strictObject({
    object: z.literal('model.resolution'),
    requested_model: z.string(),
    default_from: z.enum(DEFAULT_OWNERS).nullable().describe('Whose default model is used. null: the body names the model.'),
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
          max_output_tokens: z.number().int().describe('The output limit that the call would have, per answer.'),
          output_limit: z.strictObject({
            set_by: z.enum(LIMIT_SOURCES),
            lowered_from: nullableInt.describe(
              'What it was before it was lowered to fit budgets and cost limits. null: it is not lowered.',
            ),
          }),
          context_window: nullableInt,
          price: z.strictObject(PricedRatesObject).nullable(),
          price_id: z.string().nullable(),
          worst_case: z
            .strictObject({
              input_tokens: z.number().int().describe('At most as many as the body has bytes.'),
              output_tokens: z.number().int().describe('Of all answers together.'),
              amount: Money.nullable().describe('What would be held. null: the model has no price.'),
              fits: z
                .boolean()
                .describe('false: the call would be refused by a budget or a cost limit, unless a tokenizer counts fewer tokens.'),
            })
            .describe('The most the call can cost now.'),
          budgets: z.array(
            z.strictObject({
              id: z.string(),
              scope,
              set_by: z.string(),
              mode: z.string(),
              period: z.string(),
              limit: Money,
              spent: Money,
              held: Money,
              remaining: Money,
              currency: Currency,
            }),
          ),
          rate_limits: z.array(
            z.strictObject({
              id: z.string(),
              scope,
              set_by: z.string(),
              ...LimitMaxima,
              requests_now: z.number().int().describe('Of the last minute.'),
              tokens_now: z.number().int().describe('Of the last minute.'),
              concurrent_requests_now: z.number().int(),
            }),
          ),
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
    thinking_level: z.string().nullable().describe('Asked for by the body, or else by the API key. null: by neither.'),
  })
  .meta({ id: 'ModelResolution' });
