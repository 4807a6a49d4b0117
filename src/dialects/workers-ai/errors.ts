import { ProviderRefusal, type Refusal, type RefusalClass } from '../dialect.js';
import { type JsonObject, listOf, objectOf, parsed } from '../kit/json.js';
import { classOfStatus, refusalMessage } from '../kit/refusals.js';
import { decodeRefusal as decodeChatRefusal } from '../openai-chat/errors.js';

/** By the code in the envelope. Facts as of November 2026. */
const CLASSES: Readonly<Record<number, RefusalClass>> = {
  // No such model, and no such task.
  5007: 'model_not_found',
  5004: 'bad_request',
  3039: 'bad_request',
  3003: 'bad_request',
  5021: 'context_length',
  5016: 'auth',
  5018: 'auth',
  3023: 'auth',
  3041: 'auth',
  3042: 'model_not_found',
  5019: 'bad_request',
  5005: 'bad_request',
  3007: 'timeout',
  3008: 'timeout',
  3006: 'too_large',
  // What the day allows is used up: to try again helps no more than with an empty account.
  3036: 'billing',
  3040: 'rate_limit',
  10000: 'auth',
};

/** Reads an error reply; total, whatever the body is. */
export function decodeRefusal(status: number, body: Buffer): Refusal {
  return refusalIn(objectOf(parsed(body.toString())), status) ?? decodeChatRefusal(status, body);
}

/** A failure in the envelope may come with a status of success. @throws ProviderRefusal */
export function requireSuccess(reply: JsonObject): void {
  const refusal = refusalIn(reply, 500);
  if (refusal) throw new ProviderRefusal(refusal);
}

/** Null: the envelope tells of none. */
function refusalIn(reply: JsonObject, status: number): Refusal | null {
  const [first] = listOf(reply['errors']);
  if (first === undefined && reply['success'] !== false) return null;
  const error = objectOf(first);
  const message = refusalMessage(error['message']);
  const told = CLASSES[Number(error['code'])];
  if (message && /context (?:length|window)/i.test(message)) return { class: 'context_length', message };
  return { class: told ?? classOfStatus(status), message };
}
