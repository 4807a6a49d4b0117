import { z } from 'zod';
import { MODES, PERIOD_KINDS } from '../../quotas/index.js';
import {
  Currency,
  externalId,
  label,
  Metadata,
  Money,
  metadata,
  notEmpty,
  SetBy,
  setBy,
  Timestamp,
  text,
  time,
  Uncounted,
  usd,
} from '../http/fields.js';
import { ScopeObject, scope } from '../scopes/schema.js';

const MAX_WINDOW_SECONDS = 366 * 86_400;

const MAX_THRESHOLDS = 10;

const thresholds = z
  .array(z.number().int().min(1).max(1_000))
  .max(MAX_THRESHOLDS)
  .transform((percents) => [...new Set(percents)].sort((a, b) => a - b))
  .describe('Percents of the limit. Each writes one event per period.');

export const CreateBudget = z
  .strictObject({
    scope: scope.describe('Whose calls count against it.'),
    limit: usd.describe('USD per period, as a decimal string.'),
    period: z.enum(PERIOD_KINDS),
    timezone: text(64).default('UTC').describe('IANA time zone. Decides when days, weeks and months begin.'),
    anchor: time.optional().describe('When periods begin. Absent: the calendar.'),
    window_seconds: z.number().int().min(60).max(MAX_WINDOW_SECONDS).optional().describe('Length of the window of a `rolling` budget.'),
    thresholds: thresholds.default([]),
    mode: z
      .enum(MODES)
      .default('deny')
      .describe(
        '`deny`: a hard cap. `approve`: a hard cap that somebody may lift for a call. `observe`: counts and alerts, and refuses nothing.',
      ),
    four_eyes: z
      .boolean()
      .default(false)
      .describe('Of mode `approve`: the person or admin key that made the API key of a call may not approve the call.'),
    external_id: externalId.optional(),
    metadata: metadata.optional(),
  })
  .meta({ example: { scope: { kind: 'end_user', value: '*' }, limit: '5.00', period: 'day', timezone: 'Europe/Berlin' } });

export type CreateBudget = z.output<typeof CreateBudget>;

export const UpdateBudget = z
  .strictObject({
    limit: usd.optional().describe('Applies at once, also to the current period.'),
    timezone: text(64).optional().describe('Applies from the next period on.'),
    anchor: time.nullable().optional().describe('Applies from the next period on.'),
    thresholds: thresholds.optional(),
    mode: z.enum(MODES).optional().describe('Applies at once.'),
    four_eyes: z.boolean().optional(),
    set_by: setBy,
    metadata: metadata.optional(),
  })
  .refine(...notEmpty)
  .meta({ example: { limit: '10.00', thresholds: [80, 100] } });

export type UpdateBudget = z.output<typeof UpdateBudget>;

const scopeValue = label.optional().describe('The value whose counter is meant, if the budget has one counter per value.');

export const ResetBudget = z
  .strictObject({ reason: text(1_000).optional(), scope_value: scopeValue })
  .optional()
  .meta({ example: { reason: 'the month was paid in advance', scope_value: 'alice' } });

export type ResetBudget = z.output<typeof ResetBudget>;

export const CreateGrant = z
  .strictObject({
    amount: usd.refine((nano) => nano > 0n, { error: 'must be above zero' }).describe('USD that the current period may spend in addition.'),
    reason: text(1_000).optional(),
    scope_value: scopeValue,
  })
  .meta({ example: { amount: '2.50', reason: 'a launch', scope_value: 'alice' } });

export type CreateGrant = z.output<typeof CreateGrant>;

export const GrantsQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(20) });

export type GrantsQuery = z.output<typeof GrantsQuery>;

export const PeriodsQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(20), scope_value: scopeValue });

export type PeriodsQuery = z.output<typeof PeriodsQuery>;

export const PeriodObject = z
  .strictObject({
    id: z.string().nullable().describe('null: no call was held in this period yet. The first one creates it.'),
    object: z.literal('budget_period'),
    scope_value: z.string(),
    starts_at: Timestamp,
    ends_at: Timestamp.nullable(),
    limit: Money,
    granted: Money,
    spent: Money,
    held: Money.describe('Held for calls in flight, and held apart.'),
    held_apart: Money.describe(
      'The part of held for calls that are booked as an estimate because their gateway fell silent, in case they cost more.',
    ),
    remaining: Money.describe('limit + granted - spent - held. Negative after the limit was lowered.'),
    currency: Currency,
    closed_at: Timestamp.nullable(),
    statement: z
      .strictObject({
        calls: z.number().int(),
        top_models: z.array(z.strictObject({ provider: z.string(), model: z.string(), calls: z.number().int(), amount: Money })),
      })
      .nullable()
      .describe('Written when the period is closed and none of its calls is in flight.'),
  })
  .meta({ id: 'BudgetPeriod' });

export const BudgetObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('budget'),
    scope: ScopeObject,
    limit: Money,
    currency: Currency,
    period: z.enum(PERIOD_KINDS),
    timezone: z.string(),
    anchor: Timestamp.nullable(),
    window_seconds: z.number().int().nullable(),
    thresholds: z.array(z.number().int()),
    mode: z.enum(MODES),
    four_eyes: z.boolean(),
    set_by: SetBy,
    version: z.number().int().describe('The ETag.'),
    uncounted: Uncounted,
    external_id: z.string().nullable(),
    metadata: Metadata,
    created_at: Timestamp,
    current_period: PeriodObject.nullable(),
  })
  .meta({ id: 'Budget' });

export type BudgetObject = z.input<typeof BudgetObject>;

export const GrantObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('budget_grant'),
    period_id: z.string(),
    scope_value: z.string(),
    amount: Money,
    taken_back: Money.describe('What was not needed of it, and was taken back.'),
    currency: Currency,
    expires_at: Timestamp.nullable().describe('When what is left of it is taken back. null: it stays as long as the period.'),
    approval_id: z.string().nullable(),
    granted_by: z.string(),
    reason: z.string().nullable(),
    created_at: Timestamp,
  })
  .meta({ id: 'BudgetGrant' });
