import type { Refusal, RefusalClass } from '../dialect.js';
import { isObject, type JsonObject, listOf, objectOf, parsed, textOf } from '../kit/json.js';
import { classOfStatus, refusalMessage } from '../kit/refusals.js';
import { table } from '../kit/table.js';

/** Reads an error reply; total, whatever the body is. */
export const decodeRefusal = (status: number, body: Buffer): Refusal => refusalOf(errorIn(parsed(body.toString())), status);

/** The error of a reply or chunk, some of which come in a list of one; null when there is none. */
export function errorIn(reply: unknown): JsonObject | null {
  const error = objectOf(Array.isArray(reply) ? reply[0] : reply)['error'];
  return isObject(error) ? error : null;
}

/** @param status of the reply; the error's own code for an error inside a stream. */
export function refusalOf(error: JsonObject | null, status = Number(error?.['code']) || 500): Refusal {
  const message = refusalMessage(error?.['message']);
  const details = listOf(error?.['details']).map(objectOf);
  const reasons = details.map((detail) => textOf(detail['reason'])).filter((reason) => reason !== null);
  const retryAfterSeconds = details.map((detail) => seconds(detail['retryDelay'])).find((delay) => delay !== null);
  return {
    class: classOf(status, textOf(error?.['status']) ?? '', reasons, message ?? ''),
    message,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}

const CLASSES = table<RefusalClass>({
  UNAUTHENTICATED: 'auth',
  PERMISSION_DENIED: 'auth',
  RESOURCE_EXHAUSTED: 'rate_limit',
  NOT_FOUND: 'model_not_found',
  DEADLINE_EXCEEDED: 'timeout',
  INTERNAL: 'server',
  UNAVAILABLE: 'server',
  CANCELLED: 'server',
});

/** A key that is not valid is reported with status 400. */
const KEY_REASONS = ['API_KEY_INVALID', 'API_KEY_EXPIRED', 'API_KEY_SERVICE_BLOCKED'];

function classOf(status: number, word: string, reasons: string[], message: string): RefusalClass {
  if (reasons.some((reason) => KEY_REASONS.includes(reason))) return 'auth';
  if (status === 402 || reasons.includes('BILLING_DISABLED')) return 'billing';
  const known = CLASSES[word];
  if (known) return known;
  // There is no word for it but INVALID_ARGUMENT.
  if (status === 400 && /token count.* exceeds the maximum/i.test(message)) return 'context_length';
  return classOfStatus(status);
}

/** A duration such as `34.4s`, as whole seconds that are not too few. */
function seconds(duration: unknown): number | null {
  const match = /^(\d{1,9}(?:\.\d+)?)s$/.exec(textOf(duration) ?? '');
  return match ? Math.ceil(Number(match[1])) : null;
}
