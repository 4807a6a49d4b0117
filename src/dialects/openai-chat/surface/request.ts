import { WeirError } from '../../../kernel/errors.js';
import type { Prompt } from '../../dialect.js';

const MAX_CHOICES = 128;
/** Printable, and storable: no control character and no half surrogate pair. */
const MODEL = /^[^\s\p{Cc}\p{Cs}]{1,256}$/u;
/** `*` stands for all in a budget. */
const END_USER = /^(?!\*$)[^\p{Cc}\p{Cs}]{1,256}$/u;
const MAX_MESSAGES = 10_000;

/** Fields that would steer transport. They are refused: where a call goes is configuration, never content. */
const TRANSPORT_FIELDS = ['api_base', 'base_url', 'api_key', 'extra_headers', 'proxies'];

const invalid = (param: string, message: string) => new WeirError('invalid_request', { param, message });

/** Reads what policy and money need of a chat request; everything else is the provider's to judge. */
export function decodeRequest(body: unknown, bytes: number): Prompt {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('body', 'The request body must be a JSON object.');
  const fields = body as Record<string, unknown>;
  for (const field of TRANSPORT_FIELDS) {
    if (field in fields) throw invalid(field, `"${field}" is not accepted: where a call goes is configured, not sent.`);
  }
  const { messages } = fields;
  if (!Array.isArray(messages) || messages.length === 0) throw invalid('messages', '"messages" must be a non-empty array.');
  if (messages.length > MAX_MESSAGES) throw invalid('messages', `"messages" must not have more than ${MAX_MESSAGES} entries.`);
  if (messages.some((message) => typeof message !== 'object' || message === null || typeof message.role !== 'string')) {
    throw invalid('messages', 'Each entry of "messages" must be an object with a "role".');
  }
  const streamOptions = fields['stream_options'];
  if (streamOptions !== undefined && streamOptions !== null && typeof streamOptions !== 'object')
    throw invalid('stream_options', '"stream_options" must be an object.');
  integer(fields, 'top_logprobs', 0, 20);
  return {
    model: model(fields['model']),
    stream: boolean(fields, 'stream'),
    includeUsage: (streamOptions as Record<string, unknown> | null | undefined)?.['include_usage'] === true,
    maxOutputTokens: smallest(integer(fields, 'max_tokens', 1), integer(fields, 'max_completion_tokens', 1)),
    choices: integer(fields, 'n', 1, MAX_CHOICES) ?? 1,
    endUser: endUser(fields),
    inputTokensBound: bytes,
    body: fields,
    betas: [],
  };
}

/** OpenAI's name for it, and its older one. */
function endUser(fields: Record<string, unknown>): string | null {
  const value = fields['safety_identifier'] ?? fields['user'] ?? null;
  if (value === null || value === '') return null;
  if (typeof value !== 'string' || !END_USER.test(value))
    throw invalid('user', '"user" must be a text of at most 256 printable characters.');
  return value;
}

function model(value: unknown): string | null {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value !== 'string' || !MODEL.test(value))
    throw invalid('model', '"model" must be a name such as "openai/gpt-5", at most 256 characters without spaces.');
  return value;
}

function boolean(fields: Record<string, unknown>, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== 'boolean') throw invalid(name, `"${name}" must be true or false.`);
  return value;
}

function integer(fields: Record<string, unknown>, name: string, min: number, max = 2 ** 31 - 1): number | null {
  const value = fields[name] ?? null;
  if (value === null) return null;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalid(name, `"${name}" must be a whole number from ${min} to ${max}.`);
  }
  return value;
}

const smallest = (a: number | null, b: number | null): number | null => (a === null ? b : b === null ? a : Math.min(a, b));
