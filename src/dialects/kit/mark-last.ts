import type { CacheMark, Turn } from '../canonical.js';

/** A mark of the whole request stands for one on its last block. */
export function markLast(turns: readonly Turn[], cache: CacheMark): void {
  const last = turns.at(-1);
  if (!last) return;
  const part = last.role === 'tool' ? last : last.parts.at(-1);
  if (part && (!('type' in part) || part.type === 'text' || part.type === 'image' || part.type === 'file')) part.cache = cache;
}
