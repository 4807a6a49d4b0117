import { z } from 'zod';
import { WeirError } from '../../kernel/errors.js';
import { type Id, type IdKind, parsePublicId } from '../../kernel/ids.js';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

/** What every list takes. `after` and `before` are ids of the list, exclusive; `before` alone is the page that ends there. */
export const ListQuery = z.strictObject({
  after: z.string().optional().describe('Start the page after this id.'),
  before: z.string().optional().describe('End the page before this id.'),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT),
  order: z.enum(['asc', 'desc']).default('desc').describe('Order by creation time.'),
});
export type ListQuery = z.output<typeof ListQuery>;

/** The shape of a list of something. */
export const listOf = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({
    object: z.literal('list'),
    data: z.array(item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  });

/** A part of a list. */
export interface Page<T> {
  items: T[];
  hasMore: boolean;
}

/** Takes a page by id, which rises with time, so that what is added or removed meanwhile neither repeats nor hides anything. */
export function pageOf<T extends { id: Id }>(items: readonly T[], kind: IdKind, query: ListQuery): Page<T> {
  const { after, before } = cursors(kind, query);
  const sign = query.order === 'asc' ? 1 : -1;
  const compare = (a: string, b: string) => (a < b ? -sign : a > b ? sign : 0);
  const between = items
    .filter(({ id }) => (after === undefined || compare(id, after) > 0) && (before === undefined || compare(id, before) < 0))
    .sort((a, b) => compare(a.id, b.id));
  const hasMore = between.length > query.limit;
  const backwards = before !== undefined && after === undefined;
  return { items: backwards ? between.slice(-query.limit) : between.slice(0, query.limit), hasMore };
}

/** @throws WeirError invalid_request for a cursor that is no id of this kind. */
export function cursors(kind: IdKind, { after, before }: Pick<ListQuery, 'after' | 'before'>): { after?: Id; before?: Id } {
  return { after: cursor(kind, 'after', after), before: cursor(kind, 'before', before) };
}

export function renderList<T extends { id: string | null }>(data: T[], hasMore: boolean) {
  return { object: 'list' as const, data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: hasMore };
}

function cursor(kind: IdKind, param: string, text: string | undefined): Id | undefined {
  if (text === undefined) return undefined;
  const id = parsePublicId(kind, text);
  if (id === null)
    throw new WeirError('invalid_request', { param, message: `"${param}" must be an id of this list, such as the last_id of a page.` });
  return id;
}
