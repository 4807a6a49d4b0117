import { asText, NO_USAGE, type Usage } from '../../kernel/usage.js';
import { isObject, type JsonObject, objectOf } from '../kit/json.js';
import { tokenCount } from '../kit/token-count.js';

/** Counts are cumulative: a field that a later event has replaces the one before, one that is missing or null keeps it. */
export function mergeUsage(before: JsonObject | null, later: unknown): JsonObject | null {
  if (!isObject(later)) return before;
  const present = Object.entries(later).filter(([, value]) => value !== null && value !== undefined);
  return { ...before, ...Object.fromEntries(present) };
}

/**
 * Reads the usage of a message into disjoint classes; null when it is absent or not sane. `input_tokens` leaves out what was read from and
 * written to the cache. Steps the API took on its own, such as compaction, are told apart in `iterations` only, and the top level leaves
 * them out; unless another model took over, then the top level is what is billed.
 */
export function readUsage(raw: unknown): Usage | null {
  if (!isObject(raw)) return null;
  const steps = billedSteps(raw['iterations']);
  const parts = (steps.length > 0 ? steps : [raw]).map(readCounts);
  const sum = (name: keyof Counts) => tokenCount(parts.reduce((total, part) => total + part[name], 0))!;
  const output = sum('output');
  const thinking = tokenCount(objectOf(raw['output_tokens_details'])['thinking_tokens']);
  const usage: Usage = {
    ...NO_USAGE,
    input: sum('input'),
    cacheRead: sum('cacheRead'),
    cacheWrite5m: sum('cacheWrite5m'),
    cacheWrite1h: sum('cacheWrite1h'),
    output,
    reasoning: thinking,
  };
  return Object.values(usage).some(Number.isNaN) ? null : usage;
}

type Counts = Pick<Usage, 'input' | 'cacheRead' | 'cacheWrite5m' | 'cacheWrite1h' | 'output'>;

/** An `advisor_message` is billed apart, at its own model's price. */
function billedSteps(iterations: unknown): JsonObject[] {
  if (!Array.isArray(iterations)) return [];
  const steps = iterations.filter(isObject);
  if (steps.some(({ type }) => type === 'fallback_message')) return [];
  return steps.filter(({ type }) => type === 'compaction' || type === 'message');
}

function readCounts(raw: JsonObject): Counts {
  const split = objectOf(raw['cache_creation']);
  const hour = tokenCount(split['ephemeral_1h_input_tokens']) ?? 0;
  const written = tokenCount(raw['cache_creation_input_tokens']) ?? hour + (tokenCount(split['ephemeral_5m_input_tokens']) ?? 0);
  const cacheWrite1h = Math.min(hour, written);
  return {
    input: tokenCount(raw['input_tokens']) ?? Number.NaN,
    cacheRead: tokenCount(raw['cache_read_input_tokens']) ?? 0,
    // Writes without a word on how long they last are of the shorter kind.
    cacheWrite5m: written - cacheWrite1h,
    cacheWrite1h,
    output: tokenCount(raw['output_tokens']) ?? 0,
  };
}

/** Usage in Anthropic's shape. */
export function encodeUsage(counted: Usage): JsonObject {
  const usage = asText(counted);
  return {
    input_tokens: usage.input,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation: { ephemeral_5m_input_tokens: usage.cacheWrite5m, ephemeral_1h_input_tokens: usage.cacheWrite1h },
    output_tokens: usage.output,
    ...(usage.reasoning !== null && { output_tokens_details: { thinking_tokens: usage.reasoning } }),
  };
}
