import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import { renderRates } from '../../prices/index.js';
import { type Counting, type CountingLimit, type Prospect, renderMaxima, renderSpending, worstCaseOf } from '../../quotas/index.js';
import type { Resolution, TargetPlan } from '../../routing/index.js';
import type { ResolutionObject } from './resolve.schema.js';

/** What a call would count against. */
export interface Quotas {
  budgets: readonly Counting[];
  limits: readonly CountingLimit[];
}

type Shown = z.input<typeof ResolutionObject>;

/** What a call is judged by beside its target. */
export type Asked = Pick<Prospect, 'unpricedCost' | 'inputTokensBound' | 'choices' | 'maxCost' | 'shrinkToFit'> & {
  thinkingLevel: string | null;
};

export const renderResolution = (resolution: Resolution, asked: Asked, quotas: Quotas): Shown => {
  const { requestedModel, route, defaultFrom, targets, skipped, policy } = resolution;
  return {
    object: 'model.resolution',
    requested_model: requestedModel,
    default_from: defaultFrom,
    route: route && {
      id: publicId('route', route.id),
      name: route.name,
      match: route.match,
      owner: route.tenantId === null ? 'platform' : 'tenant',
    },
    targets: targets.map((plan) => renderTarget(plan, asked, quotas)),
    skipped: skipped.map(({ model, error }) => ({ model, reason: error.message })),
    policy: {
      retries: policy.retries,
      attempts: policy.attempts,
      deadline_ms: policy.deadlineMs,
      fallback_on: [...policy.fallbackOn],
    },
    thinking_level: asked.thinkingLevel,
  };
};

/** The scopes of one target of several. */
export const scopesOfTarget = ({ target, countedModels }: TargetPlan) => [
  { kind: 'provider', value: target.provider },
  ...countedModels.map((value) => ({ kind: 'model', value })),
];

function renderTarget(plan: TargetPlan, asked: Asked, quotas: Quotas): Shown['targets'][number] {
  const { reference, target, pinned, maxOutputTokens, leastOutputTokens, limitFrom } = plan;
  const own = scopesOfTarget(plan);
  const counts = (kind: string, value: string) =>
    (kind !== 'provider' && kind !== 'model') || own.some((scope) => scope.kind === kind && scope.value === value);
  const budgets = quotas.budgets.filter(({ budget, scopeValue }) => counts(budget.scopeKind, scopeValue));
  const limits = quotas.limits.filter(({ limit, scopeValue }) => counts(limit.scopeKind, scopeValue));
  const worst = worstCaseOf(
    { ...asked, price: target.price, lent: target.lent, outputTokensBound: maxOutputTokens, leastOutputTokens },
    budgets,
  );
  return {
    model: reference,
    provider: target.provider,
    credential: pinned ? publicId('credential', target.credential!.id) : null,
    max_output_tokens: worst.maxOutputTokens,
    output_limit: { set_by: limitFrom, lowered_from: worst.maxOutputTokens < maxOutputTokens ? maxOutputTokens : null },
    context_window: target.facts.contextWindow,
    price: target.price && renderRates(target.price.rates),
    price_id: target.price && publicId('price', target.price.id),
    worst_case: {
      input_tokens: asked.inputTokensBound,
      output_tokens: worst.maxOutputTokens * asked.choices,
      amount: worst.amount === null ? null : formatUsd(worst.amount),
      fits: worst.fits,
    },
    budgets: budgets.map(({ budget, scopeValue, period }) => ({
      id: publicId('budget', budget.id),
      scope: { kind: budget.scopeKind, value: scopeValue },
      set_by: budget.setBy,
      mode: budget.mode,
      period: budget.periodKind,
      limit: formatUsd(budget.limit),
      ...renderSpending(period),
    })),
    rate_limits: limits.map(({ limit, scopeValue, requests, tokens, open }) => ({
      id: publicId('limit', limit.id),
      scope: { kind: limit.scopeKind, value: scopeValue },
      set_by: limit.setBy,
      ...renderMaxima(limit),
      requests_now: requests,
      tokens_now: tokens,
      concurrent_requests_now: open,
    })),
  };
}
