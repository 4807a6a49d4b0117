import { NO_USAGE, type Usage } from '../../kernel/usage.js';
import { type JsonObject, listOf, objectOf } from '../kit/json.js';
import { missingPart, tokenCount } from '../kit/token-count.js';

/**
 * Reads the usage of Converse into disjoint classes; null when it is absent or not sane. `inputTokens` leaves the cache out, and output includes
 * reasoning, untold. `…TokenCount` repeats `…Tokens`.
 */
export function readUsage(raw: JsonObject): Usage | null {
  const total = tokenCount(raw['totalTokens']);
  const told = tokenCount(raw['outputTokens']);
  const cacheRead = tokenCount(raw['cacheReadInputTokens'] ?? raw['cacheReadInputTokenCount']) ?? 0;
  const cacheWrite = tokenCount(raw['cacheWriteInputTokens'] ?? raw['cacheWriteInputTokenCount']) ?? 0;
  // Whether a total has the cache in it differs between models.
  const plainTotal = cacheRead + cacheWrite === 0 ? total : null;
  const input = tokenCount(raw['inputTokens']) ?? missingPart(plainTotal, told);
  const output = told ?? missingPart(plainTotal, input) ?? 0;
  const cacheWrite1h = Math.min(writtenForAnHour(raw['cacheDetails']), cacheWrite);
  if (input === null || [input, output, cacheRead, cacheWrite, cacheWrite1h].some(Number.isNaN)) return null;
  const cached = cacheRead + cacheWrite;
  return {
    ...NO_USAGE,
    input: containsCache(input, cached, output, total) ? input - cached : input,
    cacheRead,
    cacheWrite5m: cacheWrite - cacheWrite1h,
    cacheWrite1h,
    output,
  };
}

/** OpenAI's models report, when they stream, an input that holds the cache too; the total gives it away. */
const containsCache = (input: number, cached: number, output: number, total: unknown): boolean =>
  cached > 0 && input >= cached && total === input + output;

function writtenForAnHour(details: unknown): number {
  const entries = listOf(details).map(objectOf);
  return entries.filter(({ ttl }) => ttl === '1h').reduce((sum, entry) => sum + (tokenCount(entry['inputTokens']) ?? 0), 0);
}
