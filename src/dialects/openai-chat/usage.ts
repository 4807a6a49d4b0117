import { inputTotal, type Usage } from '../../kernel/usage.js';

type Numbers = Record<string, unknown> | null | undefined;

const MAX_TOKENS = 1e12;

/** A count of tokens as it should be; null when absent; NaN when it is nonsense. */
function count(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS ? value : Number.NaN;
}

const object = (value: unknown): Numbers => (typeof value === 'object' && value !== null ? (value as Numbers) : null);

/**
 * Reads the usage of an OpenAI-shaped reply into disjoint classes. Null when it is absent or not sane, so that our own meter is used.
 * `prompt_tokens` contains cache reads and writes; when the total exceeds prompt plus completion, the rest is hidden reasoning.
 */
export function readUsage(raw: unknown): Usage | null {
  const usage = object(raw);
  if (!usage) return null;
  const details = object(usage['prompt_tokens_details']);
  const prompt = count(usage['prompt_tokens']);
  const completion = count(usage['completion_tokens']) ?? 0;
  const total = count(usage['total_tokens']);
  const cacheRead =
    [details?.['cached_tokens'], usage['prompt_cache_hit_tokens'], usage['cached_tokens'], usage['num_cached_tokens']]
      .map(count)
      .find((tokens) => tokens !== null) ?? 0;
  const cacheWrite = count(details?.['cache_write_tokens']) ?? 0;
  const reasoning = count(object(usage['completion_tokens_details'])?.['reasoning_tokens']);
  if (prompt === null) return null;
  const output = total !== null && total > prompt + completion ? total - prompt : completion;
  if ([prompt, output, cacheRead, cacheWrite, reasoning ?? 0].some(Number.isNaN)) return null;
  return {
    // OpenRouter may count a token as read and as written, and bills it as both: only the rest is plain input.
    input: Math.max(0, prompt - cacheRead - cacheWrite),
    cacheRead,
    cacheWrite5m: cacheWrite,
    cacheWrite1h: 0,
    output,
    reasoning,
  };
}

/** Usage in OpenAI's shape, for when the provider reported none. */
export function encodeUsage(usage: Usage): Record<string, unknown> {
  const prompt = inputTotal(usage);
  return { prompt_tokens: prompt, completion_tokens: usage.output, total_tokens: prompt + usage.output };
}

/** Where an OpenAI-shaped reply or chunk carries its usage: at the top, or in Groq's extension. */
export function findUsage(reply: Record<string, unknown>): unknown {
  return reply['usage'] ?? object(reply['x_groq'])?.['usage'] ?? null;
}
