import type { Refusal, RefusalClass } from '../dialect.js';
import { objectOf, parsed } from '../kit/json.js';
import { classOfStatus, refusalMessage } from '../kit/refusals.js';

/** Reads an error reply, `{id, message}`; total, whatever the body is. */
export const decodeRefusal = (status: number, body: Buffer): Refusal => refusalOf(status, objectOf(parsed(body.toString()))['message']);

export function refusalOf(status: number, sentence: unknown): Refusal {
  const message = refusalMessage(sentence);
  return { class: classOf(status, message ?? ''), message };
}

function classOf(status: number, message: string): RefusalClass {
  // There are no codes: words tell apart what a status does not.
  if (status === 429 && /calls \/ month/i.test(message)) return 'billing';
  if (status === 400 && /too many tokens/i.test(message)) return 'context_length';
  return classOfStatus(status);
}
