import { inputTotal, outputTotal, storeUsage } from '../kernel/usage.js';
import type { Attempt, HeldFacts, Settlement } from './ledger.js';

/**
 * As `settle_calls` reads it. Amounts are bigints, which JSON carries as bare numbers and Postgres reads exactly. Postgres stores neither
 * NUL nor half a surrogate pair: a provider's words that carry one are left out, its numbers stay. So are words that are nested too deep to be
 * written, or far too long.
 */
export function encodeSettlement(s: Settlement): string {
  const facts =
    storableFacts(s) ?? JSON.stringify(settlementFields({ ...s, usageRaw: null, servedModel: null, finishReason: null, plan: undefined }));
  return `${facts.slice(0, -1)},"amount":${s.amount ?? 'null'},"provider_cost":${s.providerCost ?? 'null'}}`;
}

/** Null: they cannot be stored. */
function storableFacts(s: Settlement): string | null {
  try {
    const facts = JSON.stringify(settlementFields(s));
    return facts.length > MAX_FACTS || (facts.includes('\\u') && UNSTORABLE.test(facts)) ? null : facts;
  } catch {
    return null;
  }
}

/** Far beyond the usage of any provider. */
const MAX_FACTS = 64 * 1024;

/**
 * As `book_unheld` reads it: a settlement that `encodeSettlement` wrote, with what its call was held for. `settle_calls` reads it as well.
 * @param at when it was admitted, as Unix time in ms by Postgres.
 */
export function encodeWithHold(settlement: string, { tenantId, amount, scopes, context }: HeldFacts, at: number): string {
  const facts = JSON.stringify({ tenant: tenantId, at, scopes, context });
  return `${settlement.slice(0, -1)},"held":${facts.slice(0, -1)},"amount":${amount ?? 'null'}}}`;
}

const UNSTORABLE = /\\u(?:0000|d[89a-f])/i;

const settlementFields = (s: Settlement) => ({
  id: s.id,
  state: s.state,
  status: s.status,
  http_status: s.httpStatus,
  error_code: s.errorCode,
  finish_reason: s.finishReason,
  estimated: s.estimated,
  served_model: s.servedModel,
  moved: s.moved,
  credential_used: s.credential === null ? '' : s.credential,
  attempts: encodeAttempts(s.attempts),
  first_byte_ms: s.firstByteMs,
  duration_ms: s.durationMs,
  usage_raw: s.usageRaw,
  plan: s.plan,
  rates: s.rates,
  ...storeUsage(s.usage),
  used_tokens: inputTotal(s.usage) + outputTotal(s.usage),
});

/** As they are stored with a call, and noted with its hold. */
export const encodeAttempts = (attempts: readonly Attempt[]) =>
  attempts.map(({ provider, model, credential, status, reason, latencyMs, amount }) => ({
    provider,
    model,
    credential,
    status,
    reason,
    latency_ms: latencyMs,
    amount: amount?.toString() ?? amount,
  }));
