import { JsonCost } from '../../kernel/json-cost.js';
import type { Work } from '../../kernel/slices.js';

/** More numbers than any vector has, in characters. */
const MAX_CHARACTERS = 2 * 1024 * 1024;
const MAX_OTHER_VALUES = 300_000;
const PIECE_BYTES = 64 * 1024;
const OPEN = 0x5b;
const CLOSE = 0x5d;
/** What a list of numbers is written with. */
const OF_NUMBERS = new Set(Buffer.from('0123456789+-.eE, \t\r\n'));
/** What may stand before a list. */
const BEFORE = new Set(Buffer.from(':,[ \t\r\n'));

/** A JSON text in which each list of numbers, unless it is empty, is the place of that list in `lists`: `[[0.5,2],[1]]` is `[[0],[1]]`. */
export interface CutJson {
  text: Buffer;
  lists: number[][];
}

/**
 * Takes the lists of numbers out of a JSON text. Vectors are millions of numbers, too many to read in one turn of the event loop.
 * @throws when a list is longer than any vector, or too many other values are left.
 */
export function* cutNumberLists(json: Buffer): Work<CutJson> {
  const lists: number[][] = [];
  const rest: Buffer[] = [];
  const cost = new JsonCost();
  let kept = 0;
  function* keep(end: number): Work<void> {
    for (; kept < end; kept += PIECE_BYTES) {
      const piece = json.subarray(kept, Math.min(end, kept + PIECE_BYTES));
      cost.add(piece);
      if (cost.total > MAX_OTHER_VALUES) throw new Error('the reply has too many JSON values');
      rest.push(piece);
      yield;
    }
  }
  for (let open = json.indexOf(OPEN); open !== -1; open = json.indexOf(OPEN, open + 1)) {
    const end = endOfNumbers(json, open);
    if (end === -1) continue;
    yield* keep(open);
    rest.push(Buffer.from(`[${lists.length}]`));
    lists.push(JSON.parse(json.toString('latin1', open, end)) as number[]);
    kept = end;
    open = end - 1;
    yield;
  }
  yield* keep(json.length);
  return { text: Buffer.concat(rest), lists };
}

/** Behind the list of numbers that begins here; -1: there is none. */
function endOfNumbers(json: Buffer, open: number): number {
  if (open === 0 || !BEFORE.has(json[open - 1]!)) return -1;
  let at = open + 1;
  while (OF_NUMBERS.has(json[at]!)) at++;
  if (at === open + 1) return -1;
  if (at - open > MAX_CHARACTERS) throw new Error('an embedding is too long');
  return json[at] === CLOSE ? at + 1 : -1;
}
