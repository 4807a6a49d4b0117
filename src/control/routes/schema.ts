import { z } from 'zod';
import { MATCH_KINDS, STRATEGIES } from '../../routes/index.js';
import { DEFAULT_POLICY, FALLBACK_REASONS, MAX_TARGETS } from '../../routing/index.js';
import { externalId, idText, Metadata, metadata, notEmpty, SetBy, setBy, Timestamp, text } from '../http/fields.js';

const MAX_WEIGHT = 1_000;
const MAX_RETRIES = 5;
const MAX_ATTEMPTS = 16;
const MIN_DEADLINE_MS = 1_000;
const MAX_DEADLINE_MS = 86_400_000;

const name = text(64).min(1).describe('Its name in lists. Not what calls ask for.');

const match = z
  .strictObject({ kind: z.enum(MATCH_KINDS), value: text(256).min(1) })
  .describe(
    'The names that it matches. `exact`: this one. `prefix`: those that begin so; the longest prefix wins. `hint`: `hint:` and this, such as `hint:fast`.',
  );

const target = z.strictObject({
  model: text(512).min(1).describe('`provider/model-id`. Of a prefix also `provider/*`, which passes on the name that was asked for.'),
  weight: z.number().int().min(1).max(MAX_WEIGHT).default(1).describe('Of the strategy `weighted`: how often it comes first.'),
  credential: idText('credential').nullable().default(null).describe('The one key that it is called with. null: any key of its provider.'),
});

const targets = z.array(target).min(1).max(MAX_TARGETS).describe('The models that answer, in order.');

const strategy = z
  .enum(STRATEGIES)
  .describe(
    '`ordered`: as listed. `weighted`: drawn by weight; a session keeps its target. `least_latency`: the quickest first byte first. `least_cost`: the cheapest first.',
  );

const percent = z.number().int().min(1).max(100).optional();

const when = z
  .strictObject({
    budget: idText('budget').optional().describe('The budget that counts. Absent: the fullest of those that a call counts against.'),
    used_percent: percent.describe('Of `budget`: from how much of its limit on.'),
    budget_used_percent: percent.describe('The same where no budget is named.'),
    use: targets.describe('The targets instead.'),
  })
  .refine((given) => (given.budget === undefined ? given.used_percent === undefined : given.budget_used_percent === undefined), {
    error: 'has "used_percent" beside "budget", and "budget_used_percent" without it',
  })
  .refine((given) => (given.used_percent ?? given.budget_used_percent) !== undefined, {
    error: 'needs "budget_used_percent", or "budget" with "used_percent"',
  })
  .nullable()
  .optional()
  .describe('Other targets while a budget is nearly spent, as of a few seconds ago. Not in routes of the platform.');

const POLICY = {
  retries: z
    .number()
    .int()
    .min(0)
    .max(MAX_RETRIES)
    .nullable()
    .optional()
    .describe(`How often one target is tried again. null: WEIR_RETRIES.`),
  attempts: z
    .number()
    .int()
    .min(1)
    .max(MAX_ATTEMPTS)
    .nullable()
    .optional()
    .describe(`How many attempts a call has at most, of all targets together. null: ${DEFAULT_POLICY.attempts}.`),
  deadline_ms: z
    .number()
    .int()
    .min(MIN_DEADLINE_MS)
    .max(MAX_DEADLINE_MS)
    .nullable()
    .optional()
    .describe('How long a call may take, with all attempts: at most WEIR_TOTAL_TIMEOUT_MS. null: that long.'),
  fallback_on: z
    .array(z.enum(FALLBACK_REASONS))
    .max(FALLBACK_REASONS.length)
    .nullable()
    .optional()
    .describe(`After which failures the next target is tried. null: ${[...DEFAULT_POLICY.fallbackOn].join(', ')}.`),
};

export const CreateRoute = z
  .strictObject({
    name,
    match,
    targets,
    strategy: strategy.default('ordered'),
    ...POLICY,
    when,
    external_id: externalId.optional(),
    metadata: metadata.optional(),
  })
  .meta({ example: { name: 'quick answers', match: { kind: 'exact', value: 'quick' }, targets: [{ model: 'mock/echo' }] } });
export type CreateRoute = z.output<typeof CreateRoute>;

export const UpdateRoute = z
  .strictObject({
    name: name.optional(),
    match: match.optional(),
    targets: targets.optional(),
    strategy: strategy.optional(),
    ...POLICY,
    when,
    set_by: setBy,
    metadata: metadata.optional(),
  })
  .refine(...notEmpty)
  .meta({ example: { strategy: 'least_latency', attempts: 3 } });
export type UpdateRoute = z.output<typeof UpdateRoute>;

const TargetObject = z.strictObject({ model: z.string(), weight: z.number().int(), credential: z.string().nullable() });

export const RouteObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('route'),
    name: z.string(),
    match: z.strictObject({ kind: z.enum(MATCH_KINDS), value: z.string() }),
    targets: z.array(TargetObject),
    strategy: z.enum(STRATEGIES),
    retries: z.number().int().nullable(),
    attempts: z.number().int().nullable(),
    deadline_ms: z.number().int().nullable(),
    fallback_on: z.array(z.enum(FALLBACK_REASONS)).nullable(),
    when: z
      .strictObject({
        budget: z.string().nullable(),
        used_percent: z.number().int().optional(),
        budget_used_percent: z.number().int().optional(),
        use: z.array(TargetObject),
      })
      .nullable(),
    set_by: SetBy,
    version: z.number().int().describe('The ETag.'),
    external_id: z.string().nullable(),
    metadata: Metadata,
    created_at: Timestamp,
  })
  .meta({ id: 'Route' });
export type RouteObject = z.input<typeof RouteObject>;
