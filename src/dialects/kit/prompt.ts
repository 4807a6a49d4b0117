import { type Fields, invalid } from './fields.js';

/** Fields that would steer transport. They are refused: where a call goes is configuration, never content. */
const TRANSPORT_FIELDS = ['api_base', 'base_url', 'api_key', 'extra_headers', 'proxies'];
/** Printable, and storable: no control character and no half surrogate pair. */
const MODEL = /^[^\s\p{Cc}\p{Cs}]{1,256}$/u;
/** `*` stands for all in a budget. */
const END_USER = /^(?!\*$)[^\p{Cc}\p{Cs}]{1,256}$/u;
const MAX_TOKENS = 2 ** 31 - 1;
const MAX_MESSAGES = 10_000;

/** What every surface reads before a call is planned. All throw WeirError invalid_request naming the field. */

export function refuseTransport(fields: Fields): void {
  for (const name of TRANSPORT_FIELDS)
    if (name in fields.values) throw invalid(name, `"${name}" is not accepted: where a call goes is configured, not sent.`);
}

export function modelOf(fields: Fields): string | null {
  const model = fields.written('model');
  if (model !== null && !MODEL.test(model))
    throw fields.refuse('model', 'must be a name such as "anthropic/claude-opus-5", at most 256 characters without spaces');
  return model;
}

export function endUserOf(fields: Fields, name: string): string | null {
  const user = fields.written(name);
  if (user !== null && !END_USER.test(user)) throw fields.refuse(name, 'must be a string of at most 256 printable characters');
  return user;
}

export function outputLimitOf(fields: Fields, name: string): number | null {
  const limit = fields.wholeOrNull(name);
  if (limit !== null && (limit < 1 || limit > MAX_TOKENS)) throw fields.refuse(name, `must be a whole number from 1 to ${MAX_TOKENS}`);
  return limit;
}

/** The messages of a conversation, which must not be empty. */
export function messagesOf(fields: Fields): Fields[] {
  const messages = fields.entries('messages');
  if (messages.length === 0) throw fields.refuse('messages', 'must be a non-empty list');
  if (messages.length > MAX_MESSAGES) throw fields.refuse('messages', `must not have more than ${MAX_MESSAGES} entries`);
  return messages;
}
