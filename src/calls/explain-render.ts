import type { z } from 'zod';
import { publicId } from '../kernel/ids.js';
import { formatUsd } from '../kernel/money.js';
import { unixSeconds, unixSecondsOrNull } from '../platform/openapi/index.js';
import { renderAttempt } from './call.js';
import type { ExplanationObject } from './explain-object.js';
import { type CallFacts, type HoldExplained, holdsOf, shareOf, type TargetExplained, targetsOf } from './explanation.js';
import type { StoredPlan } from './stored-plan.js';

type Shown = z.input<typeof ExplanationObject>;

const MISSED = 'The call went on to this target and ended before anything was sent. The error that the client got says why.';

/** @param policy of calls that have nothing recorded. */
export function renderExplanation(facts: CallFacts, policy: StoredPlan['policy']): Shown {
  const { call, plan } = facts;
  const targets = targetsOf(facts);
  const missed = plan?.went_on ? targets.find(({ state }) => state === 'not_tried') : undefined;
  if (missed) missed.reason = MISSED;
  const bookings = holdsOf(facts);
  return {
    object: 'call.explanation',
    call_id: publicId('call', call.id),
    created_at: unixSeconds(call.admittedAt),
    summary: summaryOf(facts, targets, bookings),
    status: call.status,
    http_status: call.httpStatus,
    error_code: call.errorCode,
    request: { model: call.requestedModel, endpoint: call.surface, stream: call.stream, default_from: plan?.default_from ?? null },
    recorded: plan !== null,
    route: plan?.route ? { id: plan.route.id, name: plan.route.name, match: { kind: plan.route.kind, value: plan.route.value } } : null,
    policy: { ...(plan?.policy ?? policy), fallback_on: [...(plan?.policy ?? policy).fallback_on] },
    targets: targets.map(({ attempts, ...target }) => ({
      ...target,
      attempts: attempts.map((number) => {
        const { cost: _booked, ...attempt } = renderAttempt(call.attempts[number - 1]!);
        return { number, ...attempt };
      }),
    })),
    bookings: bookings.map(renderBooking),
    budgets: facts.periods.map((period) => {
      const { held, booked } = shareOf(facts, period.id);
      return {
        id: publicId('budget', period.budgetId),
        scope: { kind: period.scopeKind, value: period.scopeValue },
        set_by: period.setBy,
        mode: period.mode,
        period: period.periodKind,
        starts_at: unixSeconds(period.startsAt),
        ends_at: unixSecondsOrNull(period.endsAt),
        deleted: period.isDeleted,
        limit: formatUsd(period.limit),
        granted: formatUsd(period.granted),
        spent_now: formatUsd(period.spent),
        held_now: formatUsd(period.held),
        held_for_call: held === null ? null : formatUsd(held),
        booked_for_call: formatUsd(booked),
      };
    }),
    rate_limits: facts.counters.map((counter) => ({
      id: publicId('limit', counter.limitId),
      scope: { kind: counter.scopeKind, value: counter.scopeValue },
      set_by: counter.setBy,
      max_requests_per_1_minute: counter.requestsPerMinute,
      max_tokens_per_1_minute: counter.tokensPerMinute,
      max_concurrent_requests: counter.concurrency,
      requests_now: counter.requests,
      tokens_now: counter.tokens,
      concurrent_requests_now: counter.open,
    })),
    cost: call.cost === null ? null : formatUsd(call.cost),
    currency: 'usd',
  };
}

const renderBooking = (hold: HoldExplained): Shown['bookings'][number] => ({
  number: hold.number,
  model: hold.model,
  held: hold.held === null ? null : formatUsd(hold.held),
  input_bound: hold.inputBound,
  output_bound: hold.outputBound,
  output_limit:
    hold.limitFrom === null || hold.maxOutputTokens === null
      ? null
      : { tokens: hold.maxOutputTokens, set_by: hold.limitFrom, lowered_from: hold.loweredFrom },
  thinking_level: hold.thinkingLevel,
  warnings: [...hold.warnings],
  price: hold.price && {
    id: publicId('price', hold.price.id),
    source: hold.price.source,
    effective_at: unixSeconds(hold.price.effectiveAt),
  },
  lines: hold.lines.map((line) => ({
    class: line.class,
    quantity: line.quantity,
    rate: line.rate === null ? null : formatUsd(line.rate),
    amount: formatExact(line.amount),
  })),
  entries: hold.entries.map(({ kind, amount, bookedAt }) => ({
    kind,
    amount: amount === null ? null : formatUsd(amount),
    booked_at: unixSeconds(bookedAt),
  })),
  cost: hold.cost === null ? null : formatUsd(hold.cost),
  estimated: hold.estimated,
});

const DECIMALS = 15;

/** 10⁻¹⁵ USD as a decimal string with at least two decimals. */
function formatExact(amount: bigint): string {
  const digits = String(amount < 0n ? -amount : amount).padStart(DECIMALS + 1, '0');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS).replace(/0{1,13}$/, '')}`;
}

const OWNERS = {
  session: 'its session',
  api_key: 'its API key',
  project: 'its project',
  tenant: 'the tenant',
  installation: 'the installation',
};
const LIMIT_SETTERS = { client: 'the client', api_key: 'the API key', model: 'the model', default: 'the default' };
const ENDINGS = { answered: 'answered', failed: 'failed', refused: 'was refused', not_tried: 'was not tried', skipped: 'was skipped' };

/** A few sentences for a person. */
function summaryOf({ call, plan, periods }: CallFacts, targets: readonly TargetExplained[], bookings: readonly HoldExplained[]): string {
  const sentences = [
    plan?.default_from
      ? `A call of ${call.surface} named no model, so it used "${call.requestedModel}", the default of ${OWNERS[plan.default_from]}.`
      : `A call of ${call.surface} asked for "${call.requestedModel}".`,
  ];
  if (plan?.route) sentences.push(`The route "${plan.route.name}" matched.`);
  for (const { model, state, reason } of targets) {
    if (state === 'not_tried' && reason === null) continue;
    sentences.push(`"${model}" ${ENDINGS[state]}${reason === null ? '' : `: ${reason.replace(/\.$/, '')}`}.`);
  }
  if (call.status === 'cut') sentences.push('The answer was cut short.');
  if (call.status === 'failed') sentences.push('The call failed.');
  for (const { loweredFrom, limitFrom, maxOutputTokens, model } of bookings)
    if (loweredFrom !== null && limitFrom !== null)
      sentences.push(
        `The output limit of "${model}" was lowered from ${loweredFrom}, set by ${LIMIT_SETTERS[limitFrom]}, to ${maxOutputTokens} tokens to fit.`,
      );
  sentences.push(
    call.cost === null ? 'Its price was unknown.' : call.cost === 0n ? 'The call cost nothing.' : `The call cost $${formatUsd(call.cost)}.`,
  );
  const estimated = bookings.flatMap((booking) => booking.estimated ?? []);
  if (estimated.length > 0) sentences.push(`The cost is an estimate: ${[...new Set(estimated)].join(', ')}.`);
  if (periods.length > 0)
    sentences.push(
      `It counted against ${periods.length === 1 ? 'the budget' : `${periods.length} budgets:`} of ${periods
        .map(({ scopeKind, scopeValue }) => `${scopeKind.replace('_', ' ')} ${scopeValue}`)
        .join(', ')}.`,
    );
  return sentences.join(' ');
}
