import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import type { Setter } from '../../kernel/setter.js';
import { type Budget, type BudgetPeriod, type Grant, renderSpending } from '../../quotas/index.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { BudgetObject, GrantObject, PeriodObject } from './schema.js';

export const renderBudget = (budget: Budget, period: BudgetPeriod | null, uncounted: string | null): BudgetObject => ({
  id: publicId('budget', budget.id),
  object: 'budget',
  scope: { kind: budget.scopeKind as BudgetObject['scope']['kind'], value: budget.scopeValue },
  limit: formatUsd(budget.limit),
  currency: 'usd',
  period: budget.periodKind as BudgetObject['period'],
  timezone: budget.timezone,
  anchor: unixSecondsOrNull(budget.anchor),
  window_seconds: budget.windowSeconds,
  thresholds: [...budget.thresholds],
  mode: budget.mode as BudgetObject['mode'],
  four_eyes: budget.fourEyes,
  set_by: budget.setBy as Setter,
  version: budget.version,
  uncounted,
  external_id: budget.externalId,
  metadata: budget.metadata as Record<string, string>,
  created_at: unixSeconds(budget.createdAt),
  current_period: period && renderPeriod(period),
});

export const renderPeriod = (period: BudgetPeriod): z.input<typeof PeriodObject> => ({
  id: period.id === null ? null : publicId('period', String(period.id)),
  object: 'budget_period',
  scope_value: period.scopeValue,
  starts_at: unixSeconds(period.startsAt),
  ends_at: unixSecondsOrNull(period.endsAt),
  limit: formatUsd(period.limit),
  granted: formatUsd(period.granted),
  ...renderSpending(period),
  held_apart: formatUsd(period.heldApart),
  closed_at: unixSecondsOrNull(period.closedAt),
  statement: period.statement && {
    calls: period.statement.calls,
    top_models: period.statement.topModels.map(({ amount, ...model }) => ({ ...model, amount: formatUsd(amount) })),
  },
});

export const renderGrant = (grant: Grant): z.input<typeof GrantObject> => ({
  id: publicId('grant', grant.id),
  object: 'budget_grant',
  period_id: publicId('period', String(grant.periodId)),
  scope_value: grant.scopeValue,
  amount: formatUsd(grant.amount),
  taken_back: formatUsd(grant.takenBack),
  currency: 'usd',
  expires_at: unixSecondsOrNull(grant.expiresAt),
  approval_id: grant.approvalId && publicId('approval', grant.approvalId),
  granted_by: grant.actor,
  reason: grant.reason,
  created_at: unixSeconds(grant.createdAt),
});
