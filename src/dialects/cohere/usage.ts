import { NO_USAGE, type Usage } from '../../kernel/usage.js';
import { isObject, objectOf } from '../kit/json.js';
import { tokenCount } from '../kit/token-count.js';

/**
 * Reads `usage` into disjoint classes; null when it is absent or not sane. Of the two counts the real one is read: `cached_tokens` is part
 * of it, and may be more than what `billed_units` counts.
 */
export function readUsage(raw: unknown): Usage | null {
  const { tokens, billed_units: billed, cached_tokens: cached } = objectOf(raw);
  const counts = objectOf(isObject(tokens) ? tokens : billed);
  const input = tokenCount(counts['input_tokens']);
  const output = tokenCount(counts['output_tokens']) ?? 0;
  const cacheRead = tokenCount(cached) ?? 0;
  if (input === null || [input, output, cacheRead].some(Number.isNaN)) return null;
  return { ...NO_USAGE, input: Math.max(0, input - cacheRead), cacheRead, output };
}
