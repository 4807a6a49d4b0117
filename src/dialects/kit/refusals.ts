import type { RefusalClass } from '../dialect.js';

const MAX_MESSAGE = 500;

/** A provider's sentence as it may be kept; null when there is none. */
export const refusalMessage = (message: unknown): string | null =>
  typeof message === 'string' && message !== '' ? message.slice(0, MAX_MESSAGE) : null;

/** What a status alone says. */
export function classOfStatus(status: number): RefusalClass {
  switch (status) {
    case 401:
    case 403:
      return 'auth';
    case 402:
      return 'billing';
    case 404:
      return 'model_not_found';
    case 408:
    case 504:
      return 'timeout';
    case 429:
      return 'rate_limit';
    default:
      return status >= 400 && status < 500 ? 'bad_request' : 'server';
  }
}
