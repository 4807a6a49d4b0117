import type { Went } from '../../breakers/index.js';
import { failureOf } from './failure.js';
import type { Outcome } from './outcome.js';

/**
 * What an attempt says of its target. A failure counts if it may pass, or if its provider was too slow: any other may be the request's own doing,
 * or is a key's.
 * @param isOverdue the call has a deadline of its own, and it is over.
 */
export function wentOf({ status, error, failure }: Outcome, isOverdue: boolean): Went {
  if (error === null) return status === 'completed' ? 'served' : 'neither';
  // A provider that was too slow for its client may have answered since.
  const known = failure ?? failureOf(error, null, {});
  if (known?.reason === 'timeout') return isOverdue ? 'neither' : 'failed';
  return known?.reason === 'provider_error' && known.isPassing ? 'failed' : 'neither';
}
