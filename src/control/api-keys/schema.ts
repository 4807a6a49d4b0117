import { z } from 'zod';
import { THINKING_LEVELS } from '../../kernel/thinking.js';
import { DEFAULT_MODEL, defaultModel, expiry, Money, name, SetBy, Timestamp, text, usd } from '../http/fields.js';

const MAX_MODELS = 1_000;

const MAX_OUTPUT_TOKENS = 10_000_000;

export const CreateApiKey = z
  .strictObject({
    name,
    models: z
      .array(
        text(512).regex(/^\S+$/, {
          error: 'must be a model reference such as "openai/gpt-5", a name that a route matches, or "*" for all',
        }),
      )
      .max(MAX_MODELS)
      .optional()
      .describe('The models it may use, as `provider/model-id`, or as names that routes match, which allow their targets. Absent: all.'),
    max_output_tokens: z.number().int().min(1).max(MAX_OUTPUT_TOKENS).optional().describe('Maximum output tokens of a call.'),
    max_cost_per_call: usd.optional().describe('Maximum cost of a call, in USD as a decimal string.'),
    fit: z
      .literal('shrink')
      .optional()
      .describe('`shrink`: lower the output limit of a call to what its budgets still allow, instead of refusing it.'),
    thinking_level: z
      .enum(THINKING_LEVELS)
      .optional()
      .describe('Thinking level for calls that set none. Absent: the default of the provider.'),
    unsupported: z
      .literal('drop')
      .optional()
      .describe('`drop`: leave out, with a warning, what the provider cannot do, instead of refusing the call.'),
    default_model: defaultModel.optional().describe(`${DEFAULT_MODEL} Absent: that of its project.`),
    expires_at: expiry.optional(),
  })
  .meta({ example: { name: 'chat service', models: ['mock/echo'], max_cost_per_call: '0.50' } });

export type CreateApiKey = z.output<typeof CreateApiKey>;

export const ApiKeyObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('api_key'),
    name: z.string(),
    redacted_value: z.string(),
    project_id: z.string(),
    models: z.array(z.string()),
    max_output_tokens: z.number().int().nullable(),
    max_cost_per_call: Money.nullable(),
    fit: z.literal('shrink').nullable(),
    thinking_level: z.enum(THINKING_LEVELS).nullable(),
    unsupported: z.literal('drop').nullable(),
    default_model: z.string().nullable(),
    created_by: z.string(),
    set_by: SetBy,
    created_at: Timestamp,
    expires_at: Timestamp.nullable(),
    revoked_at: Timestamp.nullable(),
    previous_value_until: Timestamp.nullable().describe('When the value from before the last rotation stops working.'),
  })
  .meta({ id: 'ApiKey' });

export const NewApiKeyObject = ApiKeyObject.extend({ value: z.string().describe('The key itself. Shown only once.') }).meta({
  id: 'NewApiKey',
});
