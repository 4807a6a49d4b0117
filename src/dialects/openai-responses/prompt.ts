import type { Prompt } from '../dialect.js';
import { Fields, invalid } from '../kit/fields.js';

const MAX_ITEMS = 10_000;
const MAX_OUTPUT_TOKENS = 2 ** 31 - 1;
/** Printable, and storable: no control character and no half surrogate pair. */
const MODEL = /^[^\s\p{Cc}\p{Cs}]{1,256}$/u;
/** `*` stands for all in a budget. */
const END_USER = /^(?!\*$)[^\p{Cc}\p{Cs}]{1,256}$/u;

/** Fields that would steer transport. They are refused: where a call goes is configuration, never content. */
const TRANSPORT_FIELDS = ['api_base', 'base_url', 'api_key', 'extra_headers', 'proxies'];

/** Reads what policy and money need of a request; everything else is judged where it is translated, or by the provider. */
export function decodeRequest(body: unknown, bytes: number): Prompt {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('body', 'The request body must be a JSON object.');
  const fields = Fields.of(body, '');
  for (const field of TRANSPORT_FIELDS) {
    if (field in body) throw invalid(field, `"${field}" is not accepted: where a call goes is configured, not sent.`);
  }
  checkInput(fields);
  // A response that is made after the call has ended could not be booked.
  if (fields.booleanOrNull('background')) throw invalid('background', 'Responses in the background are not supported. Leave it out.');
  return {
    model: model(fields),
    stream: fields.booleanOrNull('stream') ?? false,
    includeUsage: true,
    maxOutputTokens: maxOutputTokens(fields),
    choices: 1,
    endUser: endUser(fields),
    inputTokensBound: bytes,
    body: fields.values,
    betas: [],
  };
}

/** What goes on from a provider's own state may have no input. */
const STATE_FIELDS = ['previous_response_id', 'conversation', 'prompt'];

function checkInput(fields: Fields): void {
  const input = fields.values['input'];
  if (typeof input === 'string' || (!fields.has('input') && STATE_FIELDS.some((field) => fields.has(field)))) return;
  if (!Array.isArray(input) || input.length === 0) throw invalid('input', '"input" must be a text or a non-empty list of items.');
  if (input.length > MAX_ITEMS) throw invalid('input', `"input" must not have more than ${MAX_ITEMS} items.`);
}

function model(fields: Fields): string | null {
  const value = fields.values['model'];
  if (value === undefined || value === null || value === '') return null;
  if (typeof value !== 'string' || !MODEL.test(value))
    throw invalid('model', '"model" must be a name such as "openai/gpt-5", at most 256 characters without spaces.');
  return value;
}

function maxOutputTokens(fields: Fields): number | null {
  const tokens = fields.wholeOrNull('max_output_tokens');
  if (tokens !== null && (tokens < 1 || tokens > MAX_OUTPUT_TOKENS))
    throw invalid('max_output_tokens', `"max_output_tokens" must be a whole number from 1 to ${MAX_OUTPUT_TOKENS}.`);
  return tokens;
}

/** OpenAI's name for it, and its older one. */
function endUser(fields: Fields): string | null {
  const value = fields.values['safety_identifier'] ?? fields.values['user'] ?? null;
  if (value === null || value === '') return null;
  if (typeof value !== 'string' || !END_USER.test(value))
    throw invalid('user', '"user" must be a text of at most 256 printable characters.');
  return value;
}
