import type { CallRequest } from '../dialect.js';
import { Fields, invalid } from '../kit/fields.js';
import { endUserOf, modelOf, outputLimitOf, refuseTransport } from '../kit/prompt.js';

const MAX_ITEMS = 10_000;

/** Reads what policy and money need of a request; everything else is judged where it is translated, or by the provider. */
export function decodeRequest(body: unknown, bytes: number): CallRequest {
  const fields = Fields.of(body, '');
  refuseTransport(fields);
  checkInput(fields);
  // A response that is made after the call has ended could not be booked.
  if (fields.booleanOrNull('background')) throw invalid('background', 'Responses in the background are not supported. Leave it out.');
  return {
    model: modelOf(fields),
    stream: fields.booleanOrNull('stream') ?? false,
    includeUsage: true,
    maxOutputTokens: outputLimitOf(fields, 'max_output_tokens'),
    choices: 1,
    // OpenAI's name for it, and its older one.
    endUser: endUserOf(fields, 'safety_identifier') ?? endUserOf(fields, 'user'),
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
  if (!Array.isArray(input) || input.length === 0) throw invalid('input', '"input" must be a string or a non-empty list of items.');
  if (input.length > MAX_ITEMS) throw invalid('input', `"input" must not have more than ${MAX_ITEMS} items.`);
}
