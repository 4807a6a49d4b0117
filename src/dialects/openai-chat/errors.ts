import type { Refusal, RefusalClass } from '../dialect.js';

interface ErrorBody {
  message?: unknown;
  type?: unknown;
  code?: unknown;
  status?: unknown;
  status_code?: unknown;
}

const MAX_MESSAGE = 500;

/** Reads an error reply; total, whatever the body is. */
export function decodeRefusal(status: number, body: Buffer): Refusal {
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(body.toString());
  } catch {}
  return refusalOf(status, errorIn(parsed));
}

/** The error object of a reply or chunk, in the places providers put it; null when there is none. */
export function errorIn(parsed: unknown): ErrorBody | null {
  const reply = Array.isArray(parsed) ? parsed[0] : parsed;
  if (typeof reply !== 'object' || reply === null) return null;
  const error = (reply as Record<string, unknown>)['error'];
  if (typeof error === 'string') return { message: error };
  if (typeof error === 'object' && error !== null) return error as ErrorBody;
  return null;
}

/** Classifies by status and code before words. */
export function refusalOf(status: number, error: ErrorBody | null): Refusal {
  const words = [error?.code, error?.type].filter((word) => typeof word === 'string').join(' ');
  const message = typeof error?.message === 'string' ? error.message.slice(0, MAX_MESSAGE) : null;
  return { class: classOf(status, words, message ?? ''), message };
}

function classOf(status: number, words: string, message: string): RefusalClass {
  if (/insufficient_quota|billing/.test(words) || status === 402) return 'billing';
  if (/context_length_exceeded/.test(words) || (status === 400 && /maximum context length|context window/i.test(message)))
    return 'context_length';
  if (status === 401 || status === 403 || /invalid_api_key|authentication|permission/.test(words)) return 'auth';
  if (status === 429 || /rate_limit/.test(words)) return 'rate_limit';
  if (status === 404 || /model_not_found/.test(words)) return 'model_not_found';
  if (status === 408 || status === 504) return 'timeout';
  if (status >= 400 && status < 500) return 'bad_request';
  return 'server';
}
