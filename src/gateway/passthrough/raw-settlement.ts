import { usageIn } from '../../dialects/index.js';
import type { Nano } from '../../kernel/money.js';
import { reportedCost } from '../../kernel/reported-cost.js';
import { inputTotal, NO_USAGE } from '../../kernel/usage.js';
import type { Attempt, Settlement } from '../../ledger/index.js';
import { costBeyond, costOf, type Price, ratesFor, storeRates } from '../../prices/index.js';
import type { Hold } from '../../quotas/index.js';
import { UNPRICED } from '../../routing/index.js';
import { noSoFar } from '../attempts/outcome.js';
import { beyondText } from '../beyond-text.js';
import type { RawOutcome } from './raw-attempt.js';
import type { RawTarget } from './raw-targets.js';

/** What proxies log for a client that left. */
const CLIENT_CLOSED_REQUEST = 499;

/** What is booked for a request: its rule's price, else what its reply says that it used; nothing where the provider refused it. */
export function settlementOf({ rule, target, pricesOf }: RawTarget, hold: Hold, outcome: RawOutcome, durationMs: number): Settlement {
  const { status, error, used, providerStatus, reason, firstByteMs, latencyMs, json } = outcome;
  // What is read repeats what was counted when it was made.
  const told = used && rule.method === 'POST' ? usageIn(json) : null;
  const prices = told?.model ? pricesOf(told.model) : UNPRICED;
  const costBy = (price: Price | null) => {
    const rates = price && ratesFor(price, inputTotal(told!.usage));
    return (
      rates && { rates, cost: costOf(told!.usage, rates) + costBeyond(told!.usage, rates, beyondOf(told!.usage, told!.raw, told!.model!)) }
    );
  };
  const { rates, cost } = (rule.price === null && costBy(prices.price)) || { rates: null, cost: null };
  const amount: Nano | null = used ? (rule.price ?? cost ?? hold.amount) : null;
  const attempt: Attempt = {
    provider: target.provider,
    model: target.model,
    credential: target.credential?.id ?? null,
    status: providerStatus,
    reason,
    latencyMs,
  };
  return {
    id: hold.callId,
    state: used ? 'settled' : 'voided',
    amount,
    providerCost: told && (reportedCost(told.raw) ?? costBy(prices.listedPrice)?.cost ?? null),
    status,
    httpStatus: error?.status ?? (reason === 'client_gone' ? CLIENT_CLOSED_REQUEST : providerStatus!),
    errorCode: reason,
    finishReason: null,
    estimated: used && (status !== 'completed' || (rule.price === null && cost === null && hold.amount !== null)),
    servedModel: told?.model ?? null,
    credential: attempt.credential,
    attempts: [attempt],
    firstByteMs,
    durationMs,
    usage: told?.usage ?? NO_USAGE,
    usageRaw: told?.raw ?? null,
    rates: rates && storeRates(rates),
  };
}

/** The tier and the tools that a reply tells of. */
const beyondOf = (usage: Settlement['usage'], usageRaw: unknown, model: string) =>
  beyondText({ feature: null, heard: false }, { ...noSoFar().facts, usage, usageRaw, usageIsFinal: true }, usage, model, null, true).beyond;
