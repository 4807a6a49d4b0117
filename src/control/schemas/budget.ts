import { z } from 'zod';
import { type Budget, type BudgetPeriod, headroomOf, PERIOD_KINDS, SCOPE_KINDS } from '../../budgets/index.js';
import { publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import {
  Currency,
  externalId,
  Metadata,
  Money,
  metadata,
  notEmpty,
  Timestamp,
  text,
  unixSeconds,
  unixSecondsOrNull,
  usd,
} from './common.js';

const scope = z
  .strictObject({
    kind: z.enum([...SCOPE_KINDS, 'key']).transform((kind) => (kind === 'key' ? 'api_key' : kind)),
    value: text(64).optional().describe('The id of the tenant, project or API key. Not needed for the tenant.'),
  })
  .refine(({ kind, value }) => kind === 'tenant' || value !== undefined, { path: ['value'], error: 'is missing' });

export const CreateBudget = z.strictObject({
  scope: scope.describe('Whose calls count against it.'),
  limit: usd.describe('USD per period, as a decimal string.'),
  period: z.enum(PERIOD_KINDS),
  timezone: text(64).default('UTC').describe('IANA name; decides when days, weeks and months begin.'),
  mode: z.literal('deny').default('deny').describe('`deny`: a hard cap.'),
  external_id: externalId.optional(),
  metadata: metadata.optional(),
});
export type CreateBudget = z.output<typeof CreateBudget>;

export const UpdateBudget = z
  .strictObject({
    limit: usd.optional().describe('Holds at once, also for the current period.'),
    timezone: text(64).optional().describe('Holds from the next period on.'),
    metadata: metadata.optional(),
  })
  .refine(...notEmpty);
export type UpdateBudget = z.output<typeof UpdateBudget>;

export const ResetBudget = z.strictObject({ reason: text(1_000).optional() }).optional();
export type ResetBudget = z.output<typeof ResetBudget>;

export const PeriodsQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(20) });
export type PeriodsQuery = z.output<typeof PeriodsQuery>;

export const PeriodObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('budget_period'),
    starts_at: Timestamp,
    ends_at: Timestamp.nullable(),
    limit: Money,
    granted: Money,
    spent: Money,
    held: Money.describe('Of calls in flight.'),
    remaining: Money.describe('limit + granted - spent - held. Negative after a lowered limit.'),
    currency: Currency,
    closed_at: Timestamp.nullable(),
  })
  .meta({ id: 'BudgetPeriod' });

export const BudgetObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('budget'),
    scope: z.strictObject({ kind: z.enum(SCOPE_KINDS), value: z.string() }),
    limit: Money,
    currency: Currency,
    period: z.enum(PERIOD_KINDS),
    timezone: z.string(),
    mode: z.literal('deny'),
    version: z.number().int().describe('The ETag.'),
    external_id: z.string().nullable(),
    metadata: Metadata,
    created_at: Timestamp,
    current_period: PeriodObject.nullable(),
  })
  .meta({ id: 'Budget' });
type BudgetObject = z.input<typeof BudgetObject>;

export const renderBudget = (budget: Budget, period: BudgetPeriod | null): BudgetObject => ({
  id: publicId('budget', budget.id),
  object: 'budget',
  scope: { kind: budget.scopeKind as BudgetObject['scope']['kind'], value: budget.scopeValue },
  limit: formatUsd(budget.limit),
  currency: 'usd',
  period: budget.periodKind as BudgetObject['period'],
  timezone: budget.timezone,
  mode: budget.mode as BudgetObject['mode'],
  version: budget.version,
  external_id: budget.externalId,
  metadata: budget.metadata as Record<string, string>,
  created_at: unixSeconds(budget.createdAt),
  current_period: period && renderPeriod(period),
});

export const renderPeriod = (period: BudgetPeriod): z.input<typeof PeriodObject> => ({
  id: publicId('period', String(period.id)),
  object: 'budget_period',
  starts_at: unixSeconds(period.startsAt),
  ends_at: unixSecondsOrNull(period.endsAt),
  limit: formatUsd(period.limit),
  granted: formatUsd(period.granted),
  spent: formatUsd(period.spent),
  held: formatUsd(period.held),
  remaining: formatUsd(headroomOf(period)),
  currency: 'usd',
  closed_at: unixSecondsOrNull(period.closedAt),
});
