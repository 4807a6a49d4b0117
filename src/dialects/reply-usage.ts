import type { Usage } from '../kernel/usage.js';
import { readUsage as readMessages } from './anthropic-messages/usage.js';
import { readUsage as readCohere } from './cohere/usage.js';
import { readUsage as readGemini } from './gemini/usage.js';
import { isObject, objectOf, textOf } from './kit/json.js';
import { readUsage as readChat } from './openai-chat/usage.js';
import { readUsage as readResponses } from './openai-responses/usage.js';

/** What a reply says of itself. */
interface ReplyUsage {
  model: string | null;
  usage: Usage;
  /** As the provider wrote it. */
  raw: unknown;
}

/** Reads the usage of a whole reply in any of the formats, told apart by the names of its fields. Null: it has none. */
export function usageIn(reply: unknown): ReplyUsage | null {
  const { usage: raw, usageMetadata, model, modelVersion } = objectOf(reply);
  const told = isObject(usageMetadata) ? usageMetadata : raw;
  if (!isObject(told)) return null;
  const usage = isObject(usageMetadata) ? readGemini(usageMetadata, false) : readOf(told);
  return usage && { model: textOf(model) ?? textOf(modelVersion), usage, raw: told };
}

function readOf(raw: Record<string, unknown>): Usage | null {
  if ('prompt_tokens' in raw) return readChat(raw);
  if ('tokens' in raw || 'billed_units' in raw) return readCohere(raw);
  // Only Anthropic's has no total, and counts what was cached beside the input.
  return 'total_tokens' in raw || 'input_tokens_details' in raw ? readResponses(raw) : readMessages(raw);
}
