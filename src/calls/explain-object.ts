import { z } from 'zod';
import { DEFAULT_OWNERS, LIMIT_SOURCES } from '../kernel/plan-sources.js';
import { Currency, Money, Timestamp } from '../platform/openapi/index.js';
import { CALL_STATUSES } from './call.js';

const count = z.number().int();
const scope = z.strictObject({ kind: z.string(), value: z.string() });
const exact = z.string().describe('USD as an exact decimal string, with up to 15 decimals.');
const notKept = 'null: not known any more. Holds are kept for 7 days after the call.';

const Policy = z.strictObject({
  retries: count,
  attempts: count,
  deadline_ms: count.nullable(),
  fallback_on: z.array(z.string()),
});

const Target = z.strictObject({
  model: z.string().describe('`provider/model-id`.'),
  state: z
    .enum(['answered', 'failed', 'refused', 'not_tried', 'skipped'])
    .describe(
      '`answered`: it gave the answer. `failed`: it was called without success. `refused`: Weir refused to send the call there. `not_tried`: nothing was sent there. `skipped`: it could not serve the call.',
    ),
  reason: z.string().nullable(),
  attempts: z.array(
    z.strictObject({
      number: count,
      provider: z.string(),
      model: z.string().optional().describe('Absent: booked by an older version.'),
      credential_id: z.string().nullable(),
      status: count.nullable().describe('The HTTP status of the provider. null: none came.'),
      reason: z.string().nullable(),
      latency_ms: z.number().nullable().describe('null: it was under way when the process that made it was lost.'),
    }),
  ),
});

const Booking = z.strictObject({
  number: count.describe('From 1. `attempt` of its ledger entries.'),
  model: z.string(),
  held: Money.nullable().describe(`The worst-case cost that was held. null: the price was unknown, or it is not known any more.`),
  input_bound: count.nullable().describe(`The most input tokens that the hold covers. ${notKept}`),
  output_bound: count.nullable().describe(`The most output tokens that the hold covers, of all answers together. ${notKept}`),
  output_limit: z
    .strictObject({
      tokens: count.describe('Per answer, as it was sent.'),
      set_by: z.enum(LIMIT_SOURCES),
      lowered_from: count
        .nullable()
        .describe('What it was before it was lowered to fit budgets and cost limits. null: it was not lowered.'),
    })
    .nullable()
    .describe("null: the client's own limit or the default, unchanged."),
  thinking_level: z.string().nullable(),
  warnings: z.array(z.string()),
  price: z
    .strictObject({ id: z.string(), source: z.string(), effective_at: Timestamp })
    .nullable()
    .describe('null: the model had no price.'),
  lines: z
    .array(
      z.strictObject({
        class: z
          .string()
          .describe(
            'A class of tokens, or `web_search`, `file_search`, `beyond_text` (a service tier, a speed, a region and other fees), `rounding` (up to a whole nano-dollar), or `estimate` (the difference to an estimate that was booked).',
          ),
        quantity: count.nullable(),
        rate: Money.nullable().describe('USD per million tokens. Of `web_search` and `file_search`: per thousand searches.'),
        amount: exact,
      }),
    )
    .describe(
      'What the booked amount is made of, before corrections. The lines add up to it exactly. Empty: nothing was booked, or the price was unknown.',
    ),
  entries: z
    .array(z.strictObject({ kind: z.string(), amount: Money.nullable(), booked_at: Timestamp }))
    .describe('The ledger entries, with later corrections.'),
  cost: Money.nullable().describe('The sum of the entries. null: the price was unknown.'),
  estimated: z.string().nullable().describe('Why the cost is an estimate. null: it is not one.'),
});

const Budget = z.strictObject({
  id: z.string(),
  scope,
  set_by: z.string(),
  mode: z.string(),
  period: z.string(),
  starts_at: Timestamp,
  ends_at: Timestamp.nullable(),
  deleted: z.boolean(),
  limit: Money,
  granted: Money,
  spent_now: Money,
  held_now: Money,
  held_for_call: Money.nullable().describe(notKept),
  booked_for_call: Money,
});

const RateLimit = z.strictObject({
  id: z.string(),
  scope,
  set_by: z.string(),
  max_requests_per_1_minute: count.nullable(),
  max_tokens_per_1_minute: count.nullable(),
  max_concurrent_requests: count.nullable(),
  requests_now: count.describe('Of the last minute.'),
  tokens_now: count.describe('Of the last minute.'),
  concurrent_requests_now: count,
});

/** What `renderExplanation` returns. */
export const ExplanationObject = z
  .strictObject({
    object: z.literal('call.explanation'),
    call_id: z.string(),
    created_at: Timestamp,
    summary: z.string().describe('The same in a few sentences.'),
    status: z.enum(CALL_STATUSES),
    http_status: count,
    error_code: z.string().nullable(),
    request: z.strictObject({
      model: z.string(),
      endpoint: z.string(),
      stream: z.boolean(),
      default_from: z.enum(DEFAULT_OWNERS).nullable().describe('Whose default model was used. null: the request named the model.'),
    }),
    recorded: z
      .boolean()
      .describe(
        'false: a plain call, to the one model that it named, with nothing changed. Nothing is kept of it beyond its ledger entries, and `policy` is what such calls have now.',
      ),
    route: z
      .strictObject({ id: z.string(), name: z.string(), match: z.strictObject({ kind: z.string(), value: z.string() }) })
      .nullable()
      .describe('The route that matched, as it was then. null: none.'),
    policy: Policy,
    targets: z.array(Target).describe('In the order in which they were to be tried. Skipped targets come last.'),
    bookings: z.array(Booking).describe('Each hold of the call, with what was booked for it.'),
    budgets: z.array(Budget).describe('The budget periods that the call counted against, as they are now.'),
    rate_limits: z
      .array(RateLimit)
      .describe('The rate limits that the call counted against, as they are now. Known for 7 days after the call.'),
    cost: Money.nullable().describe('The sum of all ledger entries of the call. null: the price was unknown.'),
    currency: Currency,
  })
  .meta({
    id: 'CallExplanation',
    example: {
      object: 'call.explanation',
      call_id: 'call_0193a1b2c3d470008000000000000001',
      created_at: 1764460800,
      summary: 'A call of chat.completions asked for "smart". The route "smart" matched. "mock/echo" answered. The call cost $0.0012.',
      status: 'completed',
      http_status: 200,
      error_code: null,
      request: { model: 'smart', endpoint: 'chat.completions', stream: false, default_from: null },
      recorded: true,
      route: { id: 'route_0193a1b2c3d470008000000000000002', name: 'smart', match: { kind: 'exact', value: 'smart' } },
      policy: { retries: 2, attempts: 6, deadline_ms: null, fallback_on: ['rate_limited', 'provider_error', 'timeout', 'auth', 'billing'] },
      targets: [
        {
          model: 'mock/echo',
          state: 'answered',
          reason: null,
          attempts: [
            {
              number: 1,
              provider: 'mock',
              model: 'echo',
              credential_id: 'key_0193a1b2c3d470008000000000000003',
              status: 200,
              reason: null,
              latency_ms: 812.5,
            },
          ],
        },
      ],
      bookings: [
        {
          number: 1,
          model: 'mock/echo',
          held: '0.0153',
          input_bound: 100,
          output_bound: 1000,
          output_limit: { tokens: 1000, set_by: 'client', lowered_from: null },
          thinking_level: null,
          warnings: [],
          price: { id: 'price_0193a1b2c3d470008000000000000004', source: 'catalogue', effective_at: 1764000000 },
          lines: [
            { class: 'input', quantity: 100, rate: '3.00', amount: '0.0003' },
            { class: 'output', quantity: 60, rate: '15.00', amount: '0.0009' },
          ],
          entries: [{ kind: 'usage', amount: '0.0012', booked_at: 1764460801 }],
          cost: '0.0012',
          estimated: null,
        },
      ],
      budgets: [],
      rate_limits: [],
      cost: '0.0012',
      currency: 'usd',
    },
  });
