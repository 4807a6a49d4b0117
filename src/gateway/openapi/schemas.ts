import { z } from 'zod';
import { THINKING_LEVELS } from '../../kernel/thinking.js';
import { Currency, Money, Timestamp } from '../../platform/openapi/index.js';
import { PricedRatesObject } from '../../prices/index.js';
import { LimitMaxima } from '../../quotas/index.js';

// What the public listener answers in shapes of Weir's own. Requests and replies of vendors' formats are theirs to define: of those, only the
// fields that Weir needs are here, and all others are let through.

const NullableInt = z.number().int().nullable();

export const ApiError = z
  .strictObject({
    error: z.looseObject({
      message: z.string().describe('What is wrong, and what to do.'),
      type: z.string(),
      param: z.string().nullable().describe('The field or header that is wrong.'),
      code: z.string().describe('Stable: programs can rely on it. docs/errors.md lists all codes.'),
    }),
  })
  .meta({
    id: 'Error',
    examples: [
      {
        error: {
          message: 'The API key is missing or not valid. Send it as "Authorization: Bearer <key>".',
          type: 'invalid_request_error',
          param: null,
          code: 'invalid_api_key',
        },
      },
    ],
  });

export const AnthropicError = z
  .looseObject({
    type: z.literal('error'),
    error: z.looseObject({ type: z.string(), message: z.string() }),
    request_id: z.string().nullable().optional(),
  })
  .meta({ id: 'AnthropicError' });

export const Model = z
  .strictObject({
    id: z.string().describe('`provider/model-id`: what to send as `model`.'),
    object: z.literal('model'),
    created: Timestamp,
    owned_by: z.string().describe('The name of the provider.'),
    context_window: NullableInt.describe('Tokens of input and output together. Null: not known.'),
    max_output_tokens: NullableInt,
    capabilities: z.strictObject({
      tools: z.boolean().nullable(),
      vision: z.boolean().nullable(),
      reasoning: z.boolean().nullable(),
    }),
    price: z.strictObject(PricedRatesObject).nullable().describe('USD per million tokens, by kind of token. Null: the model has no price.'),
    route: z
      .strictObject({ targets: z.array(z.string()) })
      .nullable()
      .describe('The models that this name stands for, where it is the name of a route. Limits and price are those of the first.'),
  })
  .meta({ id: 'Model' });

export const ModelList = z.strictObject({ object: z.literal('list'), data: z.array(Model) }).meta({ id: 'ModelList' });

const Scope = z.strictObject({ kind: z.string(), value: z.string().nullable() });

export const Key = z
  .strictObject({
    id: z.string(),
    object: z.literal('api_key'),
    name: z.string(),
    project_id: z.string(),
    models: z.array(z.string()).describe('Patterns of the models that the key may use.'),
    max_output_tokens: NullableInt,
    max_cost_per_call: Money.nullable(),
    rate_limits: z.array(
      z.strictObject({
        id: z.string(),
        scope: Scope,
        ...LimitMaxima,
      }),
    ),
    budgets: z.array(
      z.strictObject({
        id: z.string(),
        scope: Scope,
        period: z.string(),
        limit: Money,
        spent: Money,
        held: Money.describe('The worst-case cost of calls in flight.'),
        remaining: Money,
        currency: Currency,
        resets_at: Timestamp.nullable(),
      }),
    ),
  })
  .meta({ id: 'ApiKey' });

export const SessionObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('session'),
    default_model: z.string().nullable(),
    thinking_level: z.enum(THINKING_LEVELS).nullable(),
    created_at: Timestamp,
  })
  .meta({ id: 'Session' });

export const DeletedSession = z
  .strictObject({ id: z.string(), object: z.literal('session'), deleted: z.literal(true) })
  .meta({ id: 'DeletedSession' });

export const TokenCount = z.looseObject({ input_tokens: z.number().int() }).meta({ id: 'TokenCount' });

const model = z.string().describe('`provider/model-id`, as `GET /v1/models` lists it.');
const models = z.array(z.string()).max(16).optional().describe('Models that are tried in order after `model`. `fallbacks` means the same.');
const stream = z.boolean().optional().describe('Answer as server-sent events.');
const limit = z.number().int().min(1).nullable().optional().describe('The output limit in tokens. The call is held for it.');
const messages = z.array(z.looseObject({ role: z.string() })).min(1);

export const ChatRequest = z
  .looseObject({
    model: model.optional(),
    models,
    messages,
    stream,
    max_completion_tokens: limit,
    max_tokens: limit,
    tools: z.array(z.looseObject({})).optional(),
    temperature: z.number().nullable().optional(),
    user: z.string().optional().describe('Your end user. Budgets and limits can be set on it.'),
  })
  .meta({ id: 'ChatRequest' });

export const CompletionRequest = z
  .looseObject({ model, prompt: z.union([z.string(), z.array(z.unknown())]), stream, max_tokens: limit })
  .meta({ id: 'CompletionRequest' });

export const ResponsesRequest = z
  .looseObject({
    model: model.optional(),
    models,
    input: z.union([z.string(), z.array(z.looseObject({}))]),
    stream,
    max_output_tokens: limit,
  })
  .meta({ id: 'ResponsesRequest' });

export const MessagesRequest = z
  .looseObject({
    model: model.optional(),
    models,
    messages,
    stream,
    max_tokens: z.number().int().min(1).describe('The output limit in tokens.'),
  })
  .meta({ id: 'MessagesRequest' });

export const CountRequest = z.looseObject({ model, messages }).meta({ id: 'CountRequest' });

export const EmbeddingsRequest = z
  .looseObject({ model, input: z.union([z.string(), z.array(z.unknown())]), dimensions: z.number().int().min(1).optional() })
  .meta({ id: 'EmbeddingsRequest' });

const usage = z.looseObject({ prompt_tokens: z.number().int(), total_tokens: z.number().int() });

export const ChatReply = z
  .looseObject({
    id: z.string(),
    object: z.string(),
    model: z.string(),
    choices: z.array(z.looseObject({ index: z.number().int() })),
    usage: usage.optional(),
  })
  .meta({ id: 'ChatReply' });

/** A format of Weir's own: see docs/dialects.md. */
export const PlainReply = z
  .looseObject({
    id: z.string(),
    model: z.string(),
    text: z.string(),
    reasoning: z.string().nullable(),
    tool_calls: z.array(z.looseObject({ id: z.string(), name: z.string(), arguments: z.looseObject({}) })),
    finish: z.enum(['stop', 'length', 'tool_calls', 'content_filter']),
    native_finish: z.string().nullable(),
    message: z.looseObject({ role: z.literal('assistant') }).describe('Append it to `messages` to go on.'),
    usage: z.looseObject({ input_tokens: z.number().int(), output_tokens: z.number().int(), total_tokens: z.number().int() }),
  })
  .meta({ id: 'PlainReply' });

export const ResponsesReply = z
  .looseObject({ id: z.string(), object: z.literal('response'), status: z.string(), output: z.array(z.looseObject({ type: z.string() })) })
  .meta({ id: 'ResponsesReply' });

export const MessagesReply = z
  .looseObject({
    id: z.string(),
    type: z.literal('message'),
    role: z.literal('assistant'),
    content: z.array(z.looseObject({ type: z.string() })),
    stop_reason: z.string().nullable(),
    usage: z.looseObject({ input_tokens: z.number().int(), output_tokens: z.number().int() }),
  })
  .meta({ id: 'MessagesReply' });

export const EmbeddingsReply = z
  .looseObject({ object: z.literal('list'), data: z.array(z.looseObject({ index: z.number().int() })), model: z.string(), usage })
  .meta({ id: 'EmbeddingsReply' });

export const ProviderReply = z.unknown().describe('What the provider answers, whatever it is.').meta({ id: 'ProviderReply' });
