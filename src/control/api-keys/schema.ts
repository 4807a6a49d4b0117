import { z } from 'zod';
import { ENDPOINTS } from '../../kernel/endpoints.js';
import { THINKING_LEVELS } from '../../kernel/thinking.js';
import {
  cidrs,
  DEFAULT_MODEL,
  defaultModel,
  expiry,
  Metadata,
  Money,
  metadata,
  name,
  notEmpty,
  SetBy,
  Timestamp,
  text,
  usd,
} from '../http/fields.js';

const MAX_MODELS = 1_000;

const MAX_OUTPUT_TOKENS = 10_000_000;

const settings = {
  models: z
    .array(
      text(512).regex(/^\S+$/, {
        error: 'must be a model reference such as "openai/gpt-5", a name that a route matches, or "*" for all',
      }),
    )
    .max(MAX_MODELS)
    .optional()
    .describe(
      'The models it may use, as `provider/model-id`, or as names that routes match, which allow their targets. `*` stands for all.',
    ),
  endpoints: z
    .array(z.enum(['*', ...ENDPOINTS]))
    .max(ENDPOINTS.length + 1)
    .optional()
    .describe('The endpoints it may call. `*` stands for all.'),
  cidrs: cidrs.optional(),
  max_output_tokens: z.number().int().min(1).max(MAX_OUTPUT_TOKENS).nullable().optional().describe('Maximum output tokens of a call.'),
  max_cost_per_call: usd.nullable().optional().describe('Maximum cost of a call, in USD as a decimal string.'),
  fit: z
    .literal('shrink')
    .nullable()
    .optional()
    .describe('`shrink`: lower the output limit of a call to what its budgets still allow, instead of refusing it.'),
  thinking_level: z
    .enum(THINKING_LEVELS)
    .nullable()
    .optional()
    .describe('Thinking level for calls that set none. null: the default of the provider.'),
  unsupported: z
    .literal('drop')
    .nullable()
    .optional()
    .describe('`drop`: leave out, with a warning, what the provider cannot do, instead of refusing the call.'),
  default_model: defaultModel.nullable().optional().describe(`${DEFAULT_MODEL} null: that of its project.`),
  metadata: metadata.optional(),
  disabled: z.boolean().optional().describe('true: it cannot be used for now.'),
  expires_at: expiry.nullable().optional().describe('null: it does not expire.'),
};

export const CreateApiKey = z
  .strictObject({ name, ...settings })
  .meta({ example: { name: 'chat service', models: ['mock/echo'], max_cost_per_call: '0.50' } });

export type CreateApiKey = z.output<typeof CreateApiKey>;

export const UpdateApiKey = z
  .strictObject({ name: name.optional(), ...settings })
  .refine(...notEmpty)
  .meta({ example: { endpoints: ['chat.completions'], cidrs: ['10.1.0.0/16'], max_cost_per_call: null } });

export type UpdateApiKey = z.output<typeof UpdateApiKey>;

export const ApiKeyObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('api_key'),
    name: z.string(),
    redacted_value: z.string(),
    project_id: z.string(),
    models: z.array(z.string()),
    endpoints: z.array(z.enum(['*', ...ENDPOINTS])),
    cidrs: z.array(z.string()),
    max_output_tokens: z.number().int().nullable(),
    max_cost_per_call: Money.nullable(),
    fit: z.literal('shrink').nullable(),
    thinking_level: z.enum(THINKING_LEVELS).nullable(),
    unsupported: z.literal('drop').nullable(),
    default_model: z.string().nullable(),
    metadata: Metadata,
    disabled: z.boolean(),
    created_by: z.string(),
    set_by: SetBy,
    created_at: Timestamp,
    expires_at: Timestamp.nullable(),
    last_used_at: Timestamp.nullable().describe('To about a minute.'),
    revoked_at: Timestamp.nullable(),
    previous_value_until: Timestamp.nullable().describe('When the value from before the last rotation stops working.'),
  })
  .meta({ id: 'ApiKey' });

export const NewApiKeyObject = ApiKeyObject.extend({ value: z.string().describe('The key itself. Shown only once.') }).meta({
  id: 'NewApiKey',
});
