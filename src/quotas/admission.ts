import { Injectable } from '@nestjs/common';
import type { Elapsed } from '../kernel/elapsed.js';
import type { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';
import { type Fees, NO_USAGE } from '../kernel/usage.js';
import {
  type HeldFacts,
  type HoldContext,
  LedgerService,
  type PresentedApproval,
  type RateLimitState,
  type Scope,
} from '../ledger/index.js';
import {
  affordableOutput,
  costOf,
  loadRates,
  outputBoughtBy,
  outputCost,
  type Price,
  type StoredRates,
  worstCaseCost,
} from '../prices/index.js';
import { callTooDear, deniedByBudget, featureNotPriced, notPricedByPlatform, orApproval, type Unbounded } from './budget-denials.js';
import { deniedByLimit } from './limit-denials.js';

/** What a call is held for. */
export interface AdmissionRequest {
  callId: Id;
  tenantId: Id;
  scopes: readonly Scope[];
  /** Null: unknown. */
  price: Price | null;
  /** What it asks for whose cost has no bound: refused where one is needed. Null: nothing. */
  unbounded: Unbounded | null;
  /** What it may use that has a fee, and the most of that. Null: nothing. */
  allowed: Allowed | null;
  /** The platform pays: of unknown price it is refused, whatever budgets there are. */
  lent: boolean;
  /** What it costs, whatever comes of it; absent: it goes by its tokens. */
  fixedCost?: Nano | null;
  /** What a call of unknown price is held for where an amount has to be known; null: it is refused there. */
  unpricedCost: Nano | null;
  inputTokensBound: number;
  /** A tighter bound, which takes a moment to find. */
  refineInput: () => Promise<number>;
  /** Per answer. */
  outputTokensBound: number;
  /** No answer may be asked for fewer. */
  minOutputTokens: number;
  /** The bound is a default: it is lowered to what the budgets can bear, to this at least. Null: the client or its key chose it. */
  leastOutputTokens: number | null;
  /** How many answers are billed. */
  choices: number;
  /** The most the call may cost; null: what its budgets allow. */
  maxCost: Nano | null;
  /** Lower the output limit to what fits, instead of refusing. */
  shrinkToFit: boolean;
  /** May hold it beyond its budgets; null: nothing may. */
  approval: PresentedApproval | null;
  context: Omit<HoldContext, 'output_tokens'>;
}

/** How often a call may use what has a fee, what all of it costs, and how much more input the model may read for it. */
export interface Allowed {
  uses: Fees;
  inputTokens: number;
  cost: Nano;
}

/** Money held for one call. */
export interface Hold extends HeldFacts {
  callId: Id;
  /** Tokens of input that the amount covers. */
  inputTokens: number;
  /** Fees that it covers; null: none. */
  allowed: Allowed | null;
  /** How old it is. */
  since: Elapsed;
  /** Per answer; lower than asked for where the call was shrunk to fit. */
  maxOutputTokens: number;
  /** Least headroom over the call's hard budgets once it is held; null: it has none. */
  remaining: Nano | null;
  /** The highest alert threshold any of its budgets has reached, in percent; null: none. */
  warnedPercent: number | null;
  /** Null: no limit applies. */
  rates: RateLimitState | null;
  /** It was held beyond its budgets, by an approval. */
  isApproved: boolean;
}

/** A call is not shrunk below this: an answer that breaks off at once helps nobody. */
export const MIN_OUTPUT_TOKENS = 16;
/** Output that nobody asked for takes at most one part in so many of what a budget has left: calls beside it find room. */
export const SHARES = 8n;
/** Headroom moves while a call is fitted to it. */
const MAX_TRIES = 4;
/** A million dollars, far below what Postgres can add up: one absurd call must not make a statement fail that carries others. */
export const MAX_COST: Nano = 1_000_000_000_000_000n;

@Injectable()
export class Admission {
  constructor(private readonly ledger: LedgerService) {}

  /**
   * Counts a call by its limits and holds its worst case on every budget of its scopes, all or none. A default for its output is lowered first:
   * to a share of the tightest budget, and to its least where that is more. Before the call is refused for its size, its tokens are counted
   * exactly, and, where that is wanted, its output limit is lowered to what fits.
   * @throws WeirError budget_exceeded, request_exceeds_budget, cost_limit_exceeded, approval_required, budget_held, model_not_priced,
   * feature_not_priced, rate_limit_exceeded,
   * ledger_unavailable, overloaded
   */
  async admit(exposure: AdmissionRequest): Promise<Hold> {
    const { callId, tenantId, scopes, choices, shrinkToFit } = exposure;
    let input = exposure.inputTokensBound;
    let output = exposure.outputTokensBound;
    let refined = false;
    let unpricedCost = exposure.fixedCost ?? (exposure.price === null && exposure.lent ? paidUnpriced(exposure) : null);
    const least = exposure.leastOutputTokens ?? output;
    let lowered = 0;
    for (let tries = 1; ; tries++) {
      const isDefault = output > least;
      const { held, refusal } = await this.try(exposure, input, output, unpricedCost, isDefault);
      if (held)
        return {
          callId,
          tenantId,
          scopes,
          inputTokens: readIn(exposure, input),
          allowed: exposure.allowed,
          maxOutputTokens: output,
          ...held,
        };
      if (refusal.unpriced && exposure.unbounded) throw featureNotPriced(exposure.unbounded, refusal.error(null));
      if (refusal.unpriced && unpricedCost === null && exposure.unpricedCost !== null) {
        unpricedCost = exposure.unpricedCost;
        continue;
      }
      if (!refusal.bySize) throw refusal.error(null);
      if (isDefault) {
        const borne = ++lowered < MAX_TRIES ? Math.floor((refusal.borneOutput ?? 0) / choices) : 0;
        output = Math.max(least, Math.min(borne, output - 1));
        tries = 0;
        continue;
      }
      if (!refined) {
        refined = true;
        const exact = await exposure.refineInput();
        if (exact < input) {
          input = exact;
          continue;
        }
      }
      const { price } = exposure;
      const affordable = price && refusal.headroom !== null ? affordableIn(price, input, refusal.headroom, exposure) : null;
      const leastOfUse = Math.min(MIN_OUTPUT_TOKENS, output);
      if (!shrinkToFit || affordable === null || affordable < leastOfUse || affordable >= output || tries >= MAX_TRIES)
        throw refusal.error(affordable, price && refusal.headroom !== null && smallestCost(price, exposure) <= refusal.headroom);
      output = affordable;
    }
  }

  /** @param isDefault nobody asked for this much output: it is held only where it is a small part of what every budget has left. */
  private async try(
    exposure: AdmissionRequest,
    input: number,
    output: number,
    unpricedCost: Nano | null,
    isDefault: boolean,
  ): Promise<Attempt> {
    const { callId: id, tenantId, price, choices, scopes, approval } = exposure;
    const reads = readIn(exposure, input);
    const amount = exposure.unbounded ? null : price ? worstCaseCost(price, reads, output * choices) + feesOf(exposure) : unpricedCost;
    const { rates: stored } = exposure.context;
    const context: HoldContext = {
      ...exposure.context,
      output_tokens: output * choices,
      ...(amount === null &&
        stored && { estimate: String(costOf({ ...NO_USAGE, input, output: output * choices }, loadRates(stored as StoredRates))) }),
    };
    const maxCost = exposure.maxCost ?? MAX_COST;
    if (amount === null ? exposure.maxCost !== null : amount > maxCost) {
      return refusedBy({
        bySize: amount !== null && price !== null,
        unpriced: amount === null,
        headroom: maxCost,
        borneOutput: price && affordableOutput(price, reads, maxCost - feesOf(exposure)),
        error: (affordable, fitsShorter) => callTooDear(amount, maxCost, affordable, fitsShorter),
      });
    }
    const wanted = isDefault && price ? SHARES * outputCost(price, reads, output * choices) : null;
    const answer = await this.ledger.hold({
      id,
      tenantId,
      amount,
      wanted,
      tokens: input + context.output_tokens,
      scopes,
      context,
      approval,
    });
    const { verdict, denial, limitDenial } = answer;
    if (limitDenial)
      return refusedBy({
        bySize: verdict === 'tokens',
        unpriced: false,
        headroom: null,
        borneOutput: null,
        error: () => deniedByLimit(verdict, limitDenial, answer.rates),
      });
    if (denial) {
      const bySize = verdict === 'too_large' || verdict === 'busy' || verdict === 'tight';
      return refusedBy({
        bySize,
        unpriced: verdict === 'unpriced',
        headroom: denial.headroom,
        borneOutput: price && outputBoughtBy(price, reads, denial.headroom / SHARES),
        error: (affordable, fitsShorter) => orApproval(deniedByBudget(verdict, denial, affordable, fitsShorter), verdict, denial, scopes),
      });
    }
    const { remaining, warnedPercent, rates, since, isApproved } = answer;
    return { held: { amount, context, remaining, warnedPercent, rates, since, isApproved }, refusal: null };
  }
}

/** What the platform is willing to pay without knowing. @throws WeirError model_not_priced when that is nothing. */
function paidUnpriced({ unpricedCost, context }: AdmissionRequest): Nano {
  if (unpricedCost !== null) return unpricedCost;
  throw notPricedByPlatform(context.provider, context.model);
}

type Attempt =
  | { held: Pick<Hold, 'amount' | 'context' | 'remaining' | 'warnedPercent' | 'rates' | 'since' | 'isApproved'>; refusal: null }
  | { held: null; refusal: Denied };

interface Denied {
  /** A smaller call might be admitted. */
  bySize: boolean;
  /** It has no amount, and one is needed. */
  unpriced: boolean;
  /** What such a call may cost; null where cost is not the reason. */
  headroom: Nano | null;
  /** To how many tokens of output, of all answers together, a default is lowered; null: to its least. */
  borneOutput: number | null;
  /**
   * @param affordable output tokens per answer that would fit, zero if none; null: not known.
   * @param fitsShorter a call with a shorter prompt would fit; null: it has a fixed amount.
   */
  error(affordable: number | null, fitsShorter?: boolean | null): WeirError;
}

const refusedBy = (refusal: Denied): Attempt => ({ held: null, refusal });

/** Limits on tokens count what is asked for, and not what the provider may find. */
const readIn = ({ allowed }: Pick<AdmissionRequest, 'allowed'>, input: number): number => input + (allowed?.inputTokens ?? 0);
const feesOf = ({ allowed }: Pick<AdmissionRequest, 'allowed'>): Nano => allowed?.cost ?? 0n;

function affordableIn(price: Price, input: number, headroom: Nano, exposure: AdmissionRequest): number {
  const { choices, minOutputTokens } = exposure;
  const affordable = Math.floor(affordableOutput(price, readIn(exposure, input), headroom - feesOf(exposure)) / choices);
  return affordable < minOutputTokens ? 0 : affordable;
}

/** The fewest tokens that anything can be asked in. */
const MIN_INPUT_TOKENS = 16;

const smallestCost = (price: Price, exposure: AdmissionRequest): Nano =>
  worstCaseCost(price, readIn(exposure, MIN_INPUT_TOKENS), exposure.minOutputTokens * exposure.choices) + feesOf(exposure);
