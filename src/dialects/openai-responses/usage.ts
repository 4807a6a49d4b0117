import { asText, inputTotal, NO_USAGE, type Usage } from '../../kernel/usage.js';
import { isObject, type JsonObject, objectOf } from '../kit/json.js';
import { missingPart, tokenCount } from '../kit/token-count.js';
import { withMedia } from '../units/index.js';

/** Reads the usage of a response. `input_tokens` contains what was read from and written to the cache, `output_tokens` the reasoning. */
export function readUsage(raw: unknown): Usage | null {
  if (!isObject(raw)) return null;
  const details = objectOf(raw['input_tokens_details']);
  const total = tokenCount(raw['total_tokens']);
  const told = tokenCount(raw['output_tokens']);
  const input = tokenCount(raw['input_tokens']) ?? missingPart(total, told);
  if (input === null) return null;
  const cacheRead = tokenCount(details['cached_tokens']) ?? 0;
  const cacheWrite = tokenCount(details['cache_write_tokens']) ?? 0;
  const answered = told ?? 0;
  // What a total has beyond input and output is reasoning that was not counted.
  const output = total !== null && total > input + answered ? total - input : answered;
  const reasoning = tokenCount(objectOf(raw['output_tokens_details'])['reasoning_tokens']);
  const usage: Usage = {
    ...NO_USAGE,
    input: Math.max(0, input - cacheRead - cacheWrite),
    cacheRead,
    cacheWrite5m: cacheWrite,
    output,
    reasoning,
  };
  return Object.values(usage).some(Number.isNaN) ? null : withMedia(usage, raw);
}

export function encodeUsage(counted: Usage): JsonObject {
  const usage = asText(counted);
  const input = inputTotal(usage);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cacheRead, cache_write_tokens: usage.cacheWrite5m + usage.cacheWrite1h },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning ?? 0 },
    total_tokens: input + usage.output,
  };
}
