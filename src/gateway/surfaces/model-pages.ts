import { WeirError } from '../../kernel/errors.js';

/** What Anthropic's clients ask for of a list: how many, and which reference it starts after or ends before. */
export interface PageQuery {
  limit?: string;
  after_id?: string;
  before_id?: string;
}

const MAX_LIMIT = 1_000;

/**
 * A page of models that are sorted by their references, so that one that is gone still has its place.
 * @throws WeirError invalid_request for a limit that is none.
 */
export function pageOf<Model extends { reference: string }>(
  models: readonly Model[],
  query: PageQuery,
): { page: Model[]; hasMore: boolean } {
  const limit = limitOf(query.limit);
  const { after_id: after, before_id: before } = query;
  const between = models.filter(
    ({ reference }) => (after === undefined || reference > after) && (before === undefined || reference < before),
  );
  const isBackwards = before !== undefined && after === undefined;
  return { page: isBackwards ? between.slice(-limit) : between.slice(0, limit), hasMore: between.length > limit };
}

function limitOf(text = String(MAX_LIMIT)): number {
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new WeirError('invalid_request', { param: 'limit', message: `"limit" must be a whole number from 1 to ${MAX_LIMIT}.` });
}
