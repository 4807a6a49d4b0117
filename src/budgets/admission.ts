import { Injectable } from '@nestjs/common';
import type { Elapsed } from '../kernel/elapsed.js';
import type { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';
import { type HeldFacts, type HoldContext, LedgerService, type Rates, type Scope } from '../ledger/index.js';
import { affordableOutput, type Price, worstCaseCost } from '../prices/index.js';
import { callTooDear, deniedByBudget, deniedByLimit, featureNotPriced, notPricedByPlatform, type Unbounded } from './denials.js';

/** What a call is held for. */
export interface Exposure {
  callId: Id;
  tenantId: Id;
  scopes: readonly Scope[];
  /** Null: unknown. */
  price: Price | null;
  /** What it asks for whose cost has no bound: refused where one is needed. Null: nothing. */
  unbounded: Unbounded | null;
  /** The platform pays: of unknown price it is refused, whatever budgets there are. */
  lent: boolean;
  /** What a call of unknown price is held for where an amount has to be known; null: it is refused there. */
  unpricedCost: Nano | null;
  inputTokensBound: number;
  /** A tighter bound, which takes a moment to find. */
  refineInput: () => Promise<number>;
  /** Per answer. */
  outputTokensBound: number;
  /** How many answers are asked for. */
  choices: number;
  /** The most the call may cost; null: what its budgets allow. */
  maxCost: Nano | null;
  /** Lower the output limit to what fits, instead of refusing. */
  shrinkToFit: boolean;
  context: HoldContext;
}

/** Money held for one call. */
export interface Hold extends HeldFacts {
  callId: Id;
  /** Tokens of input that the amount covers. */
  inputTokens: number;
  /** How old it is. */
  since: Elapsed;
  /** Per answer; lower than asked for where the call was shrunk to fit. */
  maxOutputTokens: number;
  /** Least headroom over the call's hard budgets once it is held; null: it has none. */
  remaining: Nano | null;
  /** The highest alert threshold any of its budgets has reached, in percent; null: none. */
  warnedPercent: number | null;
  /** Null: no limit applies. */
  rates: Rates | null;
}

/** A call is not shrunk below this: an answer that breaks off at once helps nobody. */
const LEAST_OUTPUT_TOKENS = 16;
/** Headroom moves while a call is fitted to it. */
const MAX_TRIES = 4;
/** A million dollars, far below what Postgres can add up: one absurd call must not make a statement fail that carries others. */
const MOST_COST: Nano = 1_000_000_000_000_000n;

@Injectable()
export class Admission {
  constructor(private readonly ledger: LedgerService) {}

  /**
   * Counts a call by its limits and holds its worst case on every budget of its scopes, all or none. Before it is refused for its size, its
   * tokens are counted exactly, and, where that is wanted, its output limit is lowered to what fits.
   * @throws WeirError budget_exceeded, request_exceeds_budget, cost_limit_exceeded, budget_held, model_not_priced,
   * feature_not_priced, rate_limit_exceeded,
   * ledger_unavailable, overloaded
   */
  async admit(exposure: Exposure): Promise<Hold> {
    const { callId, tenantId, scopes, context, choices, shrinkToFit } = exposure;
    let input = exposure.inputTokensBound;
    let output = exposure.outputTokensBound;
    let refined = false;
    let unpricedCost = exposure.price === null && exposure.lent ? paidUnpriced(exposure) : null;
    for (let tries = 1; ; tries++) {
      const { held, refusal } = await this.try(exposure, input, output, unpricedCost);
      if (held) return { callId, tenantId, scopes, context, inputTokens: input, maxOutputTokens: output, ...held };
      if (refusal.unpriced && exposure.unbounded) throw featureNotPriced(exposure.unbounded, refusal.error(null));
      if (refusal.unpriced && unpricedCost === null && exposure.unpricedCost !== null) {
        unpricedCost = exposure.unpricedCost;
        continue;
      }
      if (!refusal.bySize) throw refusal.error(null);
      if (!refined) {
        refined = true;
        const exact = await exposure.refineInput();
        if (exact < input) {
          input = exact;
          continue;
        }
      }
      const { price } = exposure;
      const affordable = price && refusal.headroom !== null ? affordableIn(price, input, refusal.headroom, choices) : null;
      const least = Math.min(LEAST_OUTPUT_TOKENS, exposure.outputTokensBound);
      if (!shrinkToFit || affordable === null || affordable < least || affordable >= output || tries >= MAX_TRIES)
        throw refusal.error(affordable);
      output = affordable;
    }
  }

  private async try(exposure: Exposure, input: number, output: number, unpricedCost: Nano | null): Promise<Attempt> {
    const { callId: id, tenantId, price, choices, scopes, context } = exposure;
    const amount = exposure.unbounded ? null : price ? worstCaseCost(price, input, output * choices) : unpricedCost;
    const maxCost = exposure.maxCost ?? MOST_COST;
    if (amount === null ? exposure.maxCost !== null : amount > maxCost) {
      return refusedBy({
        bySize: amount !== null && price !== null,
        unpriced: amount === null,
        headroom: maxCost,
        error: (affordable) => callTooDear(amount, maxCost, affordable),
      });
    }
    const answer = await this.ledger.hold({ id, tenantId, amount, tokens: input + output * choices, scopes, context });
    const { verdict, denial, limitDenial } = answer;
    if (limitDenial)
      return refusedBy({
        bySize: verdict === 'tokens',
        unpriced: false,
        headroom: null,
        error: () => deniedByLimit(verdict, limitDenial, answer.rates),
      });
    if (denial) {
      const bySize = verdict === 'too_large' || verdict === 'busy';
      return refusedBy({
        bySize,
        unpriced: verdict === 'unpriced',
        headroom: denial.headroom,
        error: (affordable) => deniedByBudget(verdict, denial, affordable),
      });
    }
    const { remaining, warnedPercent, rates, since } = answer;
    return { held: { amount, remaining, warnedPercent, rates, since }, refusal: null };
  }
}

/** What the platform is willing to pay without knowing. @throws WeirError model_not_priced when that is nothing. */
function paidUnpriced({ unpricedCost, context }: Exposure): Nano {
  if (unpricedCost !== null) return unpricedCost;
  throw notPricedByPlatform(context.provider, context.model);
}

type Attempt =
  | { held: Pick<Hold, 'amount' | 'remaining' | 'warnedPercent' | 'rates' | 'since'>; refusal: null }
  | { held: null; refusal: Refusal };

interface Refusal {
  /** A smaller call might be admitted. */
  bySize: boolean;
  /** It has no amount, and one is needed. */
  unpriced: boolean;
  /** What such a call may cost; null where cost is not the reason. */
  headroom: Nano | null;
  /** @param affordable output tokens per answer that would fit; null: not known. */
  error(affordable: number | null): WeirError;
}

const refusedBy = (refusal: Refusal): Attempt => ({ held: null, refusal });

const affordableIn = (price: Price, input: number, headroom: Nano, choices: number): number =>
  Math.floor(affordableOutput(price, input, headroom) / choices);
