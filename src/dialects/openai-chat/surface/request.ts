import type { CallRequest } from '../../dialect.js';
import { Fields } from '../../kit/fields.js';
import { endUserOf, modelOf, outputLimitOf, refuseTransport } from '../../kit/prompt.js';

const MAX_CHOICES = 128;
const MAX_TOP_LOGPROBS = 20;
const MAX_MESSAGES = 10_000;

/** Reads what policy and money need of a chat request; everything else is the provider's to judge. */
export function decodeRequest(body: unknown, bytes: number): CallRequest {
  const fields = Fields.of(body, '');
  refuseTransport(fields);
  refuseMessages(fields);
  wholeFrom(fields, 'top_logprobs', 0, MAX_TOP_LOGPROBS);
  return {
    model: modelOf(fields),
    stream: fields.booleanOrNull('stream') ?? false,
    includeUsage: includeUsageOf(fields),
    maxOutputTokens: smallest(outputLimitOf(fields, 'max_tokens'), outputLimitOf(fields, 'max_completion_tokens')),
    choices: choicesOf(fields),
    // OpenAI's name for it, and its older one.
    endUser: endUserOf(fields, 'safety_identifier') ?? endUserOf(fields, 'user'),
    inputTokensBound: bytes,
    body: fields.values,
    betas: [],
  };
}

/** Every message has a role: more is not needed to pass it on. */
function refuseMessages(fields: Fields): void {
  const messages = fields.listOrNull('messages');
  if (messages === null || messages.length === 0) throw fields.refuse('messages', 'must be a non-empty array');
  if (messages.length > MAX_MESSAGES) throw fields.refuse('messages', `must not have more than ${MAX_MESSAGES} entries`);
  if (messages.some((message) => typeof (message as { role?: unknown } | null)?.role !== 'string'))
    throw fields.refuse('messages', 'must have objects with a "role" as entries');
}

export const includeUsageOf = (fields: Fields): boolean => fields.objectOrNull('stream_options')?.values['include_usage'] === true;

export const choicesOf = (fields: Fields, name = 'n'): number => wholeFrom(fields, name, 1, MAX_CHOICES) ?? 1;

function wholeFrom(fields: Fields, name: string, min: number, max: number): number | null {
  const value = fields.wholeOrNull(name);
  if (value !== null && (value < min || value > max)) throw fields.refuse(name, `must be a whole number from ${min} to ${max}`);
  return value;
}

const smallest = (a: number | null, b: number | null): number | null => (a === null ? b : b === null ? a : Math.min(a, b));
