import type { CallRequest } from '../../dialect.js';
import { Fields } from '../../kit/fields.js';
import { endUserOf, messagesOf, modelOf, outputLimitOf, refuseTransport } from '../../kit/prompt.js';

const ROLES = ['user', 'assistant', 'system'] as const;

/** Reads what policy and money need of a Messages request; everything else is judged where it goes. */
export function decodeRequest(body: unknown, bytes: number): CallRequest {
  const prompt = decodeUnlimited(body, bytes);
  if (prompt.maxOutputTokens === null) throw Fields.of(body, '').refuse('max_tokens', 'must be a whole number of at least 1');
  return prompt;
}

/** A request whose tokens are to be counted sets no limit to its answer. */
export function decodeUnlimited(body: unknown, bytes: number): CallRequest {
  const fields = Fields.of(body, '');
  refuseTransport(fields);
  for (const message of messagesOf(fields)) {
    if (message.oneOf('role', ROLES) === null) throw message.refuse('role', `must be one of ${ROLES.join(', ')}`);
  }
  const metadata = fields.objectOrNull('metadata');
  return {
    model: modelOf(fields),
    stream: fields.booleanOrNull('stream') ?? false,
    includeUsage: true,
    maxOutputTokens: outputLimitOf(fields, 'max_tokens'),
    choices: 1,
    endUser: metadata && endUserOf(metadata, 'user_id'),
    inputTokensBound: bytes,
    body: fields.values,
    betas: [],
  };
}
