import type { Hold } from '../budgets/index.js';
import { meteredTokens } from '../dialects/index.js';
import { inputTotal, NO_USAGE, type Usage } from '../kernel/usage.js';
import type { Settlement } from '../ledger/index.js';
import { costOf, ratesFor, storeRates } from '../prices/index.js';
import type { Plan } from '../routing/index.js';
import type { Call } from './call.js';
import type { Outcome } from './outcome.js';

/** What proxies log for a client that left. */
const CLIENT_CLOSED_REQUEST = 499;

/** What is booked for a call: the provider's final count, or the larger of its last and our own where that never came; nothing if nothing was used. */
export function settlementOf(call: Call, plan: Plan, hold: Hold, outcome: Outcome): Settlement {
  const { facts, error, used } = outcome;
  const told = facts.usageIsFinal ? facts.usage : null;
  const usage = !used ? NO_USAGE : (told ?? estimate(call, hold, outcome));
  const { price } = plan.target;
  const rates = price && ratesFor(price, inputTotal(usage));
  return {
    id: hold.callId,
    state: used ? 'settled' : 'voided',
    // Of unknown price: what the platform allowed for it was held, and is booked.
    amount: !used ? null : rates ? costOf(usage, rates) : hold.amount,
    status: outcome.status,
    httpStatus: error?.status ?? (outcome.status === 'completed' ? 200 : CLIENT_CLOSED_REQUEST),
    errorCode: error?.code ?? (outcome.status === 'completed' ? null : 'client_gone'),
    finishReason: facts.finishReason,
    estimated: used && (told === null || (rates === null && hold.amount !== null)),
    servedModel: facts.servedModel,
    attempts: outcome.attempts,
    firstByteMs: outcome.firstByteMs,
    durationMs: call.elapsedMs(),
    usage,
    usageRaw: facts.usageRaw,
    rates: rates && storeRates(rates),
  };
}

/** The larger of the provider's last count and our own meter's; that is not above the limit that was sent, unless the provider went past it. */
function estimate(call: Call, hold: Hold, { facts, reader }: Outcome): Usage {
  const counted = facts.usage ?? NO_USAGE;
  const metered = meteredTokens(facts);
  const output = reader?.overLimit ? metered : Math.min(metered, hold.maxOutputTokens * call.prompt.choices);
  const unseen = Math.max(0, hold.context.input_tokens - inputTotal(counted));
  return { ...counted, input: counted.input + unseen, output: Math.max(counted.output, output) };
}
