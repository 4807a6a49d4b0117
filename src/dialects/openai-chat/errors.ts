import type { WeirError } from '../../kernel/errors.js';
import type { Refusal, RefusalClass } from '../dialect.js';
import { isObject, type JsonObject, listOf, objectOf, parsed, textOf } from '../kit/json.js';
import { blamed, classOfStatus } from '../kit/refusals.js';

const MAX_MESSAGE = 500;

/** Reads an error reply; total, whatever the body is. */
export function decodeRefusal(status: number, body: Buffer): Refusal {
  const reply = parsed(body.toString());
  return refusalOf(status, errorIn(reply) ?? bareError(reply));
}

/** The error object of a reply or chunk, in the places providers put it; null when there is none. */
export function errorIn(reply: unknown): JsonObject | null {
  const fields = Array.isArray(reply) ? reply[0] : reply;
  if (!isObject(fields)) return null;
  const { error } = fields;
  if (typeof error === 'string' && error !== '') return { message: error };
  return isObject(error) ? error : null;
}

/** The failure that a whole reply or a chunk is; null when it is none. */
export function failureIn(reply: unknown): JsonObject | null {
  const error = errorIn(reply);
  if (error || !isObject(reply) || 'choices' in reply) return error;
  const isBare = reply['object'] === 'error' || typeof reply['message'] === 'string' || typeof reply['detail'] === 'string';
  return isBare ? bareError(reply) : null;
}

/** Some put the fields of the error at the top, or a sentence under `detail`. */
function bareError(reply: unknown): JsonObject | null {
  if (!isObject(reply)) return null;
  const { message, detail } = reply;
  return { ...reply, message: textOf(message) ?? textOf(detail) ?? textOf(objectOf(listOf(detail)[0])['msg']) };
}

/** The refusal in an error that came with a status of success. */
export function inBandRefusal(error: JsonObject): Refusal {
  const status = [error['status_code'], error['status'], error['code']].map(Number).find((number) => number >= 400 && number < 600);
  return refusalOf(status ?? (/invalid_request|content_filter/.test(wordsOf(error)) ? 400 : 500), error);
}

/** Classifies by status and code before words. */
export function refusalOf(status: number, error: JsonObject | null): Refusal {
  const message = textOf(error?.['message'])?.slice(0, MAX_MESSAGE) ?? null;
  return { class: classOf(status, error ? wordsOf(error) : '', message ?? ''), message, ...blamed(error) };
}

function wordsOf(error: JsonObject): string {
  const reasons = listOf(error['details']).map((detail) => objectOf(detail)['reason']);
  return [error['code'], error['type'], ...reasons].filter((word) => typeof word === 'string').join(' ');
}

function classOf(status: number, words: string, message: string): RefusalClass {
  if (/insufficient_quota|billing/.test(words) || status === 402) return 'billing';
  if (/context_length_exceeded/.test(words) || (status === 400 && /maximum context length|context window/i.test(message)))
    return 'context_length';
  if (status === 401 || status === 403 || /invalid_api_key|API_KEY_INVALID|authentication|permission/.test(words)) return 'auth';
  if (status === 429 || /rate_limit/.test(words)) return 'rate_limit';
  if (status === 404 || /model_not_found/.test(words)) return 'model_not_found';
  if (/overloaded|slow_down/.test(words)) return 'overloaded';
  return classOfStatus(status);
}

/** A refusal or failure as clients of OpenAI's formats expect it. */
export function encodeError(error: WeirError): object {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code, ...error.fields } };
}
