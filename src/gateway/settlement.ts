import { isCredible } from '../dialects/index.js';
import type { Nano } from '../kernel/money.js';
import { reportedCost } from '../kernel/reported-cost.js';
import { inputTotal, NO_USAGE, type Usage } from '../kernel/usage.js';
import type { Settlement } from '../ledger/index.js';
import { costBeyond, costOf, type Price, type Rates, ratesFor, storeRates } from '../prices/index.js';
import type { Hold } from '../quotas/index.js';
import type { TargetPlan, TargetPrices } from '../routing/index.js';
import type { Outcome } from './attempts/outcome.js';
import { type Beyond, beyondText } from './beyond-text.js';
import type { Call } from './call.js';
import type { Estimates } from './estimates.js';

/** What proxies log for a client that left. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * What is booked for a call: the provider's final count, or the larger of its last and our own where that never came; nothing if nothing was used.
 * @param served the prices of the model that was served in place of the one asked for.
 */
export function settlementOf(
  call: Call,
  plan: TargetPlan,
  hold: Hold,
  outcome: Outcome,
  served: TargetPrices,
  asked: Beyond,
  estimates: Estimates,
): Settlement {
  const { facts, error, used } = outcome;
  const told = facts.usageIsFinal && facts.usage && (hold.maxOutputTokens === 0 || isCredible(facts.usage, facts)) ? facts.usage : null;
  const estimate = used && told === null ? estimates.of(call, plan, hold, outcome) : null;
  const tokens = !used ? NO_USAGE : (told ?? estimate!.usage);
  const prices: TargetPrices[] = [plan.target, served];
  const uses = hold.allowed?.uses ?? null;
  const { usage: whole, beyond, told: isTold } = beyondText(asked, facts, tokens, plan.target.model, uses, told !== null);
  const usage = used ? whole : tokens;
  const rates = dearestRates(
    prices.map(({ price }) => price),
    usage,
  );
  const cost = rates && costOf(tokens, rates);
  const extra = rates && used ? costBeyond(usage, rates, beyond) : 0n;
  // Fees, and what media cost more than the text that they were counted as.
  const more = rates && usage !== tokens ? costOf(usage, rates) - cost! : 0n;
  // Of unknown price: what the platform allowed for it was held, and is booked.
  const known = !used ? null : estimate ? estimatedCost(estimate.amount, cost, hold.amount) : (cost ?? hold.amount);
  const amount = known === null ? null : (estimate ? withMore(known, more, cost, hold.amount) : known + more) + extra;
  const listed = (): Nano | null => {
    if (prices.every(({ price, listedPrice }) => price === listedPrice)) return rates && amount;
    const rated = dearestRates(
      prices.map(({ listedPrice }) => listedPrice),
      usage,
    );
    return rated && costOf(usage, rated) + costBeyond(usage, rated, beyond);
  };
  if (estimate) estimates.note(outcome, estimate.basis, amount, hold);
  else if (used) estimates.learn(plan, outcome);
  return {
    id: hold.callId,
    state: used ? 'settled' : 'voided',
    amount,
    providerCost: used ? ((told && reportedCost(facts.usageRaw)) ?? listed()) : null,
    status: outcome.status,
    httpStatus: error?.status ?? (outcome.status === 'completed' ? 200 : CLIENT_CLOSED_REQUEST),
    errorCode: error?.code ?? (outcome.status === 'completed' ? null : 'client_gone'),
    finishReason: facts.finishReason,
    estimated: used && (estimate !== null || !isTold || (rates === null && hold.amount !== null)),
    servedModel: facts.servedModel,
    attempts: outcome.attempts,
    firstByteMs: outcome.firstByteMs,
    durationMs: call.elapsedMs(),
    usage,
    usageRaw: facts.usageRaw,
    rates: rates && { ...storeRates(rates), ...(extra !== 0n && { beyond_text: Number(extra) }) },
  };
}

/** A model served in place of another costs what it costs, and never less than the one that was asked for. */
function dearestRates(prices: readonly (Price | null)[], usage: Usage): Rates | null {
  const all = prices.flatMap((price) => (price ? [ratesFor(price, inputTotal(usage))] : []));
  return all.reduce<Rates | null>((dearest, rates) => (dearest && costOf(usage, dearest) >= costOf(usage, rates) ? dearest : rates), null);
}

/** An estimate of all that was held has it in it. */
function withMore(estimate: Nano, more: Nano, cost: Nano | null, held: Nano | null): Nano {
  const most = held === null ? null : larger(larger(held, estimate), (cost ?? 0n) + more);
  return most !== null && estimate + more > most ? most : estimate + more;
}

const larger = (a: Nano, b: Nano): Nano => (a > b ? a : b);

/** An estimate is not above the hold, also where a dearer model was served. */
function estimatedCost(estimate: Nano | null, cost: Nano | null, held: Nano | null): Nano | null {
  if (estimate === null || cost === null || held === null) return estimate;
  const bounded = cost < held ? cost : held;
  return estimate > bounded ? estimate : bounded;
}
