import { Injectable } from '@nestjs/common';
import { type ErrorCode, WeirError } from '../kernel/errors.js';
import { type Id, publicId } from '../kernel/ids.js';
import { formatUsd, type Nano } from '../kernel/money.js';
import { type Denial, type HoldContext, LedgerService, type Verdict } from '../ledger/index.js';
import { affordableOutput, type Price, worstCaseCost } from '../prices/index.js';

/** What a call is held for. */
export interface Exposure {
  callId: Id;
  tenantId: Id;
  scopes: readonly { kind: string; value: string }[];
  /** Null: unknown. */
  price: Price | null;
  inputTokensBound: number;
  /** Per answer. */
  outputTokensBound: number;
  /** How many answers are asked for. */
  choices: number;
  context: HoldContext;
}

/** Money held for one call. */
export interface Hold {
  callId: Id;
  tenantId: Id;
  /** Null: the price is unknown. */
  amount: Nano | null;
  /** Least headroom over the call's budgets once it is held; null: it has none. */
  remaining: Nano | null;
}

const CODES: Record<Exclude<Verdict, 'held'>, ErrorCode> = {
  exceeded: 'budget_exceeded',
  too_large: 'request_exceeds_budget',
  busy: 'budget_held',
  unpriced: 'model_not_priced',
};

@Injectable()
export class Admission {
  constructor(private readonly ledger: LedgerService) {}

  /**
   * Holds a call's worst case on every budget of its scopes, all or none.
   * @throws WeirError budget_exceeded, request_exceeds_budget, budget_held, model_not_priced, ledger_unavailable
   */
  async admit(exposure: Exposure): Promise<Hold> {
    const { callId, tenantId, price } = exposure;
    const amount = price && worstCaseCost(price, exposure.inputTokensBound, exposure.outputTokensBound * exposure.choices);
    const answer = await this.ledger.hold({ id: callId, tenantId, amount, scopes: exposure.scopes, context: exposure.context });
    if (answer.verdict !== 'held') throw denied(CODES[answer.verdict], answer.denial!, exposure);
    return { callId, tenantId, amount, remaining: answer.remaining };
  }
}

function denied(code: ErrorCode, denial: Denial, { price, inputTokensBound, choices }: Exposure): WeirError {
  const scope = `${denial.scopeKind.replace('_', ' ')} ${denial.scopeValue}`;
  const until = denial.resetsAt === null ? '' : ` It resets at ${new Date(denial.resetsAt * 1000).toISOString()}.`;
  const state = `limit $${formatUsd(denial.limit)}, spent $${formatUsd(denial.spent)}, held $${formatUsd(denial.held)}`;
  const affordable =
    code === 'request_exceeds_budget' && price
      ? Math.floor(affordableOutput(price, inputTokensBound, denial.headroom) / choices)
      : undefined;
  const messages: Partial<Record<ErrorCode, string>> = {
    budget_exceeded: `The budget of ${scope} is spent: ${state}.${until}`,
    request_exceeds_budget: `This request could cost up to $${formatUsd(denial.amount ?? 0n)}, more than the budget of ${scope} has left: ${state}. ${affordable ? `Set max_tokens to ${affordable} or less.` : 'Shorten the prompt.'}${until}`,
    budget_held: `Calls in flight hold what is left of the budget of ${scope}: ${state}. Try again shortly.`,
    model_not_priced: `The model has no price, and the budget of ${scope} is a hard cap. Add a price for it.`,
  };
  return new WeirError(code, {
    message: messages[code],
    fields: {
      budget_id: publicId('budget', denial.budgetId),
      scope: { kind: denial.scopeKind, value: denial.scopeValue },
      limit: formatUsd(denial.limit),
      spent: formatUsd(denial.spent),
      held: formatUsd(denial.held),
      currency: 'usd',
      resets_at: denial.resetsAt,
      ...(affordable !== undefined && { affordable_max_tokens: affordable }),
    },
  });
}
