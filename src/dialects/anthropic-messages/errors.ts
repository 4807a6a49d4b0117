import type { WeirError } from '../../kernel/errors.js';
import type { ErrorForm, Refusal, RefusalClass } from '../dialect.js';
import { isObject, listOf, parsed, textOf } from '../kit/json.js';
import { classOfStatus, refusalMessage } from '../kit/refusals.js';
import { table } from '../kit/table.js';

/** Statuses of the vendor's error types: inside a stream there is a type only. */
const STATUSES = table<number>({
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
});

/** Reads an error reply; total, whatever the body is. */
export function decodeRefusal(status: number, body: Buffer): Refusal {
  const reply = parsed(body.toString());
  // Google's own refusals come in a list of one.
  return refusalOf(Array.isArray(reply) ? reply[0] : reply, status);
}

/** The failure that a reply or an event reports; null when it reports none. */
export function refusalIn(reply: unknown): Refusal | null {
  return isObject(reply) && (reply['type'] === 'error' || isObject(reply['error'])) ? refusalOf(reply, null) : null;
}

/** @param status of the reply; null inside a stream. */
function refusalOf(reply: unknown, status: number | null): Refusal {
  const error = isObject(reply) ? reply['error'] : null;
  const { type, message } = isObject(error) ? error : { type: null, message: error ?? (isObject(reply) ? reply['message'] : null) };
  const sentence = refusalMessage(message);
  // The type says more than the status where it is known.
  const details = detailsOf(isObject(error) ? error['details'] : null);
  const told = STATUSES[textOf(type) ?? ''] ?? status ?? 500;
  return { class: classOf(told, sentence ?? ''), message: sentence, ...(details && { details }) };
}

const CODE = /^[a-z][a-z0-9_.]{0,63}$/;

/** Why a thread cannot go on: the vendor's clients send the conversation whole when they read it. Codes alone, no words of a server. */
function detailsOf(details: unknown): Refusal['details'] | null {
  if (!isObject(details)) return null;
  const { error_code: code, unsupported } = details;
  if (typeof code !== 'string' || !code.startsWith('thread_') || !CODE.test(code)) return null;
  const features = listOf(unsupported).filter((one) => typeof one === 'string' && CODE.test(one));
  return { error_code: code, ...(features.length > 0 && { unsupported: features }) };
}

function classOf(status: number, message: string): RefusalClass {
  // A spent account is told as a bad request.
  if (/credit balance is too low|specified API usage limits/i.test(message)) return 'billing';
  if (status === 400 && /prompt is too long|exceed(?:s|ed)? (?:the )?context (?:limit|window)|context window/i.test(message))
    return 'context_length';
  return classOfStatus(status);
}

/** As the vendor itself has it. */
export const ERROR_FORM: ErrorForm = { statuses: { upstream_overloaded: 529 }, idHeader: 'request-id' };

/** An error as the official SDKs read it, with what Weir calls it beside. */
export function encodeError(error: WeirError): object {
  const { message, code, param, fields } = error;
  return { type: 'error', error: { type: typeOf(error), message, code, param, ...fields } };
}

function typeOf({ status, retry }: WeirError): string {
  if (status === 503 && retry) return 'overloaded_error';
  if (status === 408) return 'timeout_error';
  const known = Object.entries(STATUSES).find(([, of]) => of === status)?.[0];
  return known ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}
