import { type ErrorCode, WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import { formatUsd, type Nano } from '../kernel/money.js';
import type { BudgetDenial, Scope, Verdict } from '../ledger/index.js';
import { scopeText } from './scope.js';

const CODES: Partial<Record<Verdict, ErrorCode>> = {
  exceeded: 'budget_exceeded',
  too_large: 'request_exceeds_budget',
  busy: 'budget_held',
  unpriced: 'model_not_priced',
};

/** A call that somebody may approve: the cause of `approval_required`. */
export class ApprovalNeeded {
  constructor(
    /** The most it may cost. */
    readonly amount: Nano,
    readonly scopes: readonly Scope[],
    /** What the client reads where no approval would help. */
    readonly denied: WeirError,
  ) {}
}

/** What a client reads when a budget is in the way that somebody may lift for the call; else as it is. */
export function orApproval(denied: WeirError, verdict: Verdict, { mode, amount }: BudgetDenial, scopes: readonly Scope[]): WeirError {
  if (mode !== 'approve' || amount === null || (verdict !== 'exceeded' && verdict !== 'too_large')) return denied;
  const { message, fields } = denied;
  return new WeirError('approval_required', { message, fields: fields ?? {}, cause: new ApprovalNeeded(amount, scopes, denied) });
}

/** What a client reads when a budget is in the way. @param fitsShorter see {@link advice}. */
export function deniedByBudget(
  verdict: Verdict,
  denial: BudgetDenial,
  affordable: number | null,
  fitsShorter: boolean | null = null,
): WeirError {
  const spent = verdict === 'exceeded' || verdict === 'too_large';
  // A session's budget is the cap of that session.
  const code = spent && denial.scopeKind === 'session' ? 'cost_limit_exceeded' : CODES[verdict]!;
  const scope = scopeText(denial);
  const until = denial.resetsAt === null ? '' : ` It resets at ${new Date(denial.resetsAt * 1000).toISOString()}.`;
  const state = `limit $${formatUsd(denial.limit)}, spent $${formatUsd(denial.spent)}, held $${formatUsd(denial.held)}`;
  const messages: Partial<Record<Verdict, string>> = {
    exceeded: `The budget of ${scope} is spent: ${state}.${until}`,
    too_large: `This request could cost up to $${formatUsd(denial.amount ?? 0n)}, more than the budget of ${scope} has left: ${state}. ${advice(affordable, fitsShorter, 'budget')}${until}`,
    busy: `Calls in flight hold what is left of the budget of ${scope}: ${state}. Try again shortly.`,
    unpriced: `The model has no price, and the budget of ${scope} is a hard cap. Add a price for it.`,
  };
  return new WeirError(code, {
    message: messages[verdict],
    fields: {
      budget_id: publicId('budget', denial.budgetId),
      scope: { kind: denial.scopeKind, value: denial.scopeValue },
      limit: formatUsd(denial.limit),
      spent: formatUsd(denial.spent),
      held: formatUsd(denial.held),
      currency: 'usd',
      resets_at: denial.resetsAt,
      ...(verdict === 'too_large' && affordable !== null && { affordable_max_tokens: affordable }),
    },
  });
}

/** What a client reads when the call alone is above what one call may cost. @param fitsShorter see {@link advice}. */
export function callTooDear(amount: Nano | null, maxCost: Nano, affordable: number | null, fitsShorter: boolean | null = null): WeirError {
  const message =
    amount === null
      ? `The model has no price, so no cost limit can be kept. Add a price for it, or leave the limit of $${formatUsd(maxCost)} out.`
      : `This request could cost up to $${formatUsd(amount)}, more than its cost limit of $${formatUsd(maxCost)}. ${advice(affordable, fitsShorter, 'cost limit')}`;
  return new WeirError(amount === null ? 'model_not_priced' : 'cost_limit_exceeded', {
    message,
    fields: { limit: formatUsd(maxCost), currency: 'usd', ...(affordable !== null && { affordable_max_tokens: affordable }) },
  });
}

/** Something asked for whose cost has no bound: the field, and in words. */
export interface Unbounded {
  field: string;
  what: string;
  /** The field that would bound it; null: there is none. */
  limitedBy: string | null;
}

/** What a client reads when it asks for something whose cost has no bound. @param denied what stands in the way. */
export function featureNotPriced({ field, what, limitedBy }: Unbounded, denied: WeirError): WeirError {
  const advice = limitedBy
    ? `Set "${limitedBy}", or leave "${field}" out`
    : field === 'model'
      ? 'Use another model'
      : `Leave "${field}" out`;
  return new WeirError('feature_not_priced', {
    param: field,
    message: `"${field}" asks for ${what}, whose cost has no bound, and a hard budget or a cost limit applies. ${advice}, or have the call made where no hard cap applies.`,
    fields: denied.fields ?? {},
  });
}

/** What a client reads when the platform would pay and does not know how much. */
export const notPricedByPlatform = (provider: string, model: string): WeirError =>
  new WeirError('model_not_priced', {
    message: `The model "${model}" has no price now, and the platform pays for the provider "${provider}", so nothing is sent. The operator adds a price by POST /v1/platform/prices, or allows an amount per call as the tenant's "unpriced_call_cost".`,
    fields: { provider, model },
  });

/**
 * What helps a call that is too large.
 * @param affordable tokens of output that would fit, zero if none; null: not known.
 * @param fitsShorter a call with a shorter prompt would fit; null: the model has no price, and each of its calls a fixed amount.
 */
function advice(affordable: number | null, fitsShorter: boolean | null, bound: 'budget' | 'cost limit'): string {
  if (affordable !== null && affordable > 0) return `Set max_tokens to ${affordable} or less.`;
  if (fitsShorter) return 'Shorten the prompt.';
  if (fitsShorter === null)
    return `The model has no price, so every call of it is held for the same amount. Add a price for it, or raise the ${bound}.`;
  return `No request to this model is small enough. Use a cheaper model, or raise the ${bound}.`;
}
