import { WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import type { LimitDenial, RateLimitState, Verdict } from '../ledger/index.js';
import { scopeText } from './scope.js';

/** What a client reads when a limit is in the way. */
export function deniedByLimit(verdict: Verdict, denial: LimitDenial, rates: RateLimitState | null): WeirError {
  const scope = scopeText(denial);
  const never = verdict === 'tokens' && denial.tokens > denial.limit;
  const messages: Partial<Record<Verdict, string>> = {
    requests: `The limit of ${scope} is ${denial.limit} requests per minute.`,
    tokens: never
      ? `This request may use up to ${denial.tokens} tokens, and the limit of ${scope} is ${denial.limit} tokens per minute. Lower max_tokens or shorten the prompt.`
      : `This request may use up to ${denial.tokens} tokens, more than what is left of the limit of ${scope}: ${denial.limit} tokens per minute.`,
    concurrency: `The limit of ${scope} is ${denial.limit} requests at a time.`,
  };
  return new WeirError('rate_limit_exceeded', {
    type: verdict === 'tokens' ? 'tokens' : 'requests',
    message: never ? messages[verdict] : `${messages[verdict]} Try again in ${denial.waitSeconds} s.`,
    retry: !never,
    retryAfterSeconds: denial.waitSeconds,
    headers: rates ? rateHeaders(rates) : {},
    fields: {
      limit_id: publicId('limit', denial.limitId),
      scope: { kind: denial.scopeKind, value: denial.scopeValue },
      limit: denial.limit,
    },
  });
}

/** In OpenAI's names. Resets are durations. */
export function rateHeaders(rates: RateLimitState): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const unit of ['requests', 'tokens'] as const) {
    const limit = rates[`limit_${unit}`];
    if (limit === undefined) continue;
    headers[`x-ratelimit-limit-${unit}`] = String(limit);
    headers[`x-ratelimit-remaining-${unit}`] = String(rates[`remaining_${unit}`]);
    headers[`x-ratelimit-reset-${unit}`] = `${rates[`reset_${unit}`]}s`;
  }
  return headers;
}
