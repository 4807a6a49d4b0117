import type { RefusalClass } from '../dialect.js';
import type { JsonObject } from './json.js';

const MAX_MESSAGE = 500;

/** A provider's sentence as it may be kept; null when there is none. */
export const refusalMessage = (message: unknown): string | null =>
  typeof message === 'string' && message !== '' ? message.slice(0, MAX_MESSAGE) : null;

const WORD = /^[\w.[\]-]{1,100}$/;

/** The field that a provider blames and its word for the fault, where they are such. */
export function blamed(error: JsonObject | null): { param?: string; code?: string } {
  const { param, code } = error ?? {};
  return {
    ...(typeof param === 'string' && WORD.test(param) && { param }),
    ...(typeof code === 'string' && WORD.test(code) && { code }),
  };
}

/**
 * By which a front of the provider says that the provider had the request and did not answer in time: any proxy 504, Cloudflare 522 and 524
 * (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors). The provider may have worked.
 */
const GATEWAY_TIMEOUTS = new Set([504, 522, 524]);

export const isGatewayTimeout = (status: number | null): boolean => status !== null && GATEWAY_TIMEOUTS.has(status);

/** What a status alone says. */
export function classOfStatus(status: number): RefusalClass {
  if (isGatewayTimeout(status)) return 'timeout';
  switch (status) {
    case 401:
    case 403:
      return 'auth';
    case 402:
      return 'billing';
    case 404:
      return 'model_not_found';
    case 408:
      return 'timeout';
    case 413:
      return 'too_large';
    case 422:
      return 'unprocessable';
    case 429:
      return 'rate_limit';
    case 529:
      return 'overloaded';
    default:
      return status >= 400 && status < 500 ? 'bad_request' : 'server';
  }
}
