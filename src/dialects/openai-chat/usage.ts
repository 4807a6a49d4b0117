import { asText, inputTotal, NO_USAGE, outputTotal, type Usage } from '../../kernel/usage.js';
import { isObject, type JsonObject } from '../kit/json.js';
import { missingPart, tokenCount } from '../kit/token-count.js';
import { withMedia } from '../units/index.js';

const object = (value: unknown): JsonObject | null => (isObject(value) ? value : null);

/**
 * Reads the usage of an OpenAI-shaped reply into disjoint classes. Null when it is absent or not sane, so that our own meter is used.
 * `prompt_tokens` contains cache reads and writes; when the total exceeds prompt plus completion, the rest is hidden reasoning.
 */
export function readUsage(raw: unknown): Usage | null {
  const usage = object(raw);
  if (!usage) return null;
  const details = object(usage['prompt_tokens_details']);
  const total = tokenCount(usage['total_tokens']);
  const answered = tokenCount(usage['completion_tokens']);
  const prompt = tokenCount(usage['prompt_tokens']) ?? missingPart(total, answered);
  const completion = answered ?? 0;
  const cacheRead =
    [details?.['cached_tokens'], usage['prompt_cache_hit_tokens'], usage['cached_tokens'], usage['num_cached_tokens']]
      .map(tokenCount)
      .find((tokens) => tokens !== null) ?? 0;
  const cacheWrite = tokenCount(details?.['cache_write_tokens']) ?? 0;
  const reasoning = tokenCount(object(usage['completion_tokens_details'])?.['reasoning_tokens']);
  if (prompt === null) return null;
  const output = total !== null && total > prompt + completion ? total - prompt : completion;
  if ([prompt, output, cacheRead, cacheWrite, reasoning ?? 0].some(Number.isNaN)) return null;
  const counted = {
    ...NO_USAGE,
    // OpenRouter may count a token as read and as written, and bills it as both: only the rest is plain input.
    input: Math.max(0, prompt - cacheRead - cacheWrite),
    cacheRead,
    cacheWrite5m: cacheWrite,
    output,
    // As reported: some round it otherwise than the output it is a part of.
    reasoning,
  };
  return withMedia(counted, usage);
}

/** Usage in OpenAI's shape. */
export function encodeUsage(usage: Usage): JsonObject {
  const [prompt, output] = [inputTotal(usage), outputTotal(usage)];
  const { cacheRead, cacheWrite5m, cacheWrite1h } = asText(usage);
  const heard = usage.audioInput + usage.audioCacheRead;
  const made = {
    ...(usage.reasoning !== null && { reasoning_tokens: usage.reasoning }),
    ...(usage.audioOutput > 0 && { audio_tokens: usage.audioOutput }),
    ...(usage.imageOutput > 0 && { image_tokens: usage.imageOutput }),
  };
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    prompt_tokens_details: {
      cached_tokens: cacheRead,
      cache_write_tokens: cacheWrite5m + cacheWrite1h,
      ...(heard > 0 && { audio_tokens: heard }),
      ...(usage.imageInput > 0 && { image_tokens: usage.imageInput }),
    },
    ...(Object.keys(made).length > 0 && { completion_tokens_details: made }),
  };
}

/** Where an OpenAI-shaped reply or chunk carries its usage: at the top, in Groq's extension, or in Moonshot's choice. */
export function findUsage(reply: JsonObject): unknown {
  const { choices } = reply;
  const first = Array.isArray(choices) ? object(choices[0]) : null;
  return reply['usage'] ?? object(reply['x_groq'])?.['usage'] ?? first?.['usage'] ?? null;
}

/** Some report zeros beside the true count, before it or after. */
export const isEmptyUsage = (usage: Usage | null): boolean => usage !== null && inputTotal(usage) === 0 && outputTotal(usage) === 0;
