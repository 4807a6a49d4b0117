import type { Hold } from '../budgets/index.js';
import { inputTotal, NO_USAGE } from '../kernel/usage.js';
import type { Settlement } from '../ledger/index.js';
import { costBeyond, costOf, ratesFor, storeRates } from '../prices/index.js';
import type { Plan } from '../routing/index.js';
import { type Beyond, beyondText } from './beyond-text.js';
import type { Call } from './call.js';
import type { Estimates } from './estimates.js';
import type { Outcome } from './outcome.js';

/** What proxies log for a client that left. */
const CLIENT_CLOSED_REQUEST = 499;

/** What is booked for a call: the provider's final count, or the larger of its last and our own where that never came; nothing if nothing was used. */
export function settlementOf(call: Call, plan: Plan, hold: Hold, outcome: Outcome, asked: Beyond, estimates: Estimates): Settlement {
  const { facts, error, used } = outcome;
  const told = facts.usageIsFinal ? facts.usage : null;
  const estimate = used && told === null ? estimates.of(call, plan, hold, outcome) : null;
  const usage = !used ? NO_USAGE : (told ?? estimate!.usage);
  const { price } = plan.target;
  const rates = price && ratesFor(price, inputTotal(usage));
  const { beyond, told: isTold } = beyondText(asked, facts, usage, plan.target.model);
  const extra = rates && used ? costBeyond(usage, rates, beyond) : 0n;
  // Of unknown price: what the platform allowed for it was held, and is booked.
  const text = !used ? null : estimate ? estimate.amount : rates ? costOf(usage, rates) : hold.amount;
  const amount = text === null ? null : text + extra;
  if (estimate) estimates.note(outcome, estimate.basis, amount, hold);
  else if (used) estimates.learn(plan, outcome);
  return {
    id: hold.callId,
    state: used ? 'settled' : 'voided',
    amount,
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
