import { WeirError } from '../kernel/errors.js';
import { type DestinationGuard, DestinationRefused } from '../platform/egress/index.js';
import type { WebhookFormat } from './webhook.js';

/** A URL without the characters that a request line must not have. */
const QUERY = /^[\x21\x22\x24-\x7e]*$/;

/**
 * Where a webhook leads, and what may be shown of it: a query may hold a secret, and of Slack and Teams the path is one.
 * @throws WeirError invalid_request unless calls may go there.
 */
export function addressOf(format: WebhookFormat, given: string, guard: DestinationGuard): { to: string; address: string } {
  const [base = '', ...rest] = given.split('?');
  const query = rest.length > 0 ? `?${rest.join('?')}` : '';
  try {
    const { origin, pathname } = guard.parse(base);
    if (!QUERY.test(query)) throw new DestinationRefused('Its query must be printable ASCII without blanks, and it has no fragment.');
    const shown = format === 'standard' ? pathname + (query && '?…') : '/…';
    return { to: origin + pathname + query, address: origin + shown };
  } catch (error) {
    if (!(error instanceof DestinationRefused)) throw error;
    throw new WeirError('invalid_request', { param: 'url', message: `"url" is refused: ${error.message}` });
  }
}
