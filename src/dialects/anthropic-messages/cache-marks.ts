import type { JsonObject } from '../kit/json.js';

/** More than these are refused. */
const MAX_MARKS = 4;

/**
 * Makes the cache marks of a request ones the vendor takes: the last four, and none for an hour after one for five minutes.
 * @param blocks all that may carry one, as the prompt goes: tools, system, messages.
 */
export function limitMarks(blocks: readonly JsonObject[]): string[] {
  const marked = blocks.filter((block) => 'cache_control' in block);
  const warnings: string[] = [];
  for (const block of marked.splice(0, marked.length - MAX_MARKS)) {
    delete block['cache_control'];
    warnings.push(`Only ${MAX_MARKS} cache marks are supported, so the first was left out.`);
  }
  const shorter = marked.findIndex(({ cache_control: mark }) => !isLong(mark));
  for (const block of shorter === -1 ? [] : marked.slice(shorter)) {
    if (!isLong(block['cache_control'])) continue;
    block['cache_control'] = { type: 'ephemeral' };
    warnings.push('A cache mark for an hour must not follow one for five minutes, so it was shortened.');
  }
  return [...new Set(warnings)];
}

const isLong = (mark: unknown): boolean => (mark as JsonObject)['ttl'] === '1h';
