import { piecesOf } from './frames.js';
import { type Case, framingOf } from './run-case.js';

/** The smallest case found until a moment that shows the same. */
export function smaller(one: Case, isSame: (other: Case) => boolean, until: number): Case {
  let best = one;
  const better = (other: Case): boolean => {
    if (Date.now() > until || !isSame(other)) return false;
    best = other;
    return true;
  };
  better({ ...best, quirks: {} });
  better({ ...best, level: null });
  better({ ...best, headers: {} });
  better({ ...best, reply: Buffer.alloc(0) });
  for (const field of ['reply', 'request'] as const) {
    const set = (bytes: Buffer) => better({ ...best, [field]: bytes });
    const streamed = field === 'reply' && (one.reading === 'stream' || one.reading === 'folded');
    if (streamed) without(piecesOf(framingOf(one.dialect), best.reply), (pieces) => set(Buffer.concat(pieces)), until);
    else shrinkJson(best[field], set, until);
    without(charsOf(best[field]), (chars) => set(Buffer.concat(chars)), until);
  }
  return best;
}

const charsOf = (bytes: Buffer): Buffer[] => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));

/** Leaves out runs of parts, long ones first, as long as `works` says the rest still shows it. */
function without<Part>(parts: Part[], works: (rest: Part[]) => boolean, until: number): void {
  let rest = parts;
  for (let size = rest.length >> 1; size >= 1; size >>= 1)
    for (let at = 0; at + size <= rest.length && Date.now() < until; ) {
      const fewer = [...rest.slice(0, at), ...rest.slice(at + size)];
      if (works(fewer)) rest = fewer;
      else at += size;
    }
}

/** Leaves out fields and entries. */
function shrinkJson(bytes: Buffer, works: (smaller: Buffer) => boolean, until: number): void {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    return;
  }
  const holds = () => {
    try {
      return works(Buffer.from(JSON.stringify(value)));
    } catch {
      return false;
    }
  };
  const visit = (holder: unknown, depth: number): void => {
    if (typeof holder !== 'object' || holder === null || depth > 64) return;
    if (Array.isArray(holder)) {
      for (let at = holder.length - 1; at >= 0 && Date.now() < until; at--) {
        const [item] = holder.splice(at, 1);
        if (!holds()) holder.splice(at, 0, item);
      }
    } else {
      const fields = holder as Record<string, unknown>;
      for (const name of Object.keys(fields)) {
        const value = fields[name];
        if (Date.now() > until) return;
        delete fields[name];
        if (!holds()) fields[name] = value;
      }
    }
    for (const inner of Object.values(holder)) visit(inner, depth + 1);
  };
  visit(value, 0);
}
