import type { Random } from '../support/random.js';

type Json = unknown;
type Holder = Record<string | number, Json>;

const SURROGATE = '\ud83d';

/** Values that decoders trip over. */
const ODD: readonly (() => Json)[] = [
  () => null,
  () => [],
  () => ({}),
  () => '',
  () => 'x',
  () => ' \n\r\u2028',
  () => SURROGATE,
  () => '\u0000',
  () => '__proto__',
  () => 'constructor',
  () => '[DONE]',
  () => 'data: {}\n\n',
  () => 'x'.repeat(5_000),
  () => 0,
  () => -0,
  () => -1,
  () => 0.5,
  () => 127,
  () => 4_294_967_294,
  () => 4_294_967_296,
  () => Number.MAX_SAFE_INTEGER,
  () => 1e21,
  () => 1e308,
  () => '12',
  () => '1e999',
  () => true,
  () => false,
  () => [null],
  () => [[]],
  () => [{}],
  () => ({ '': null }),
  () => ({ length: -1 }),
  () => ({ type: null }),
  () => nested(100),
];

const ODD_NUMBERS = [-1, 128, 100_000, 2 ** 31, 4_294_967_294, Number.MAX_SAFE_INTEGER, 1e300];

/** So many levels of lists and objects. */
function nested(levels: number): Json {
  let value: Json = 1;
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

/** Where a value can be changed: what holds it, and under which name. */
type Place = [holder: Holder, name: string | number];

function placesIn(value: Json, into: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return into;
  const names = Array.isArray(value) ? value.keys() : Object.keys(value);
  for (const name of names) {
    into.push([value as Holder, name]);
    placesIn((value as Holder)[name], into);
  }
  return into;
}

/** Another value of the same kind; what it was made from is left as it is. @param donor where parts are taken from. */
export function mutateJson(value: Json, donor: Json, random: Random): Json {
  let mutant = structuredClone({ value });
  for (let times = random.pick([1, 1, 1, 2, 3, 6]); times > 0; times--) {
    const places = placesIn(mutant.value);
    const at: Place = places.length === 0 || random.chance(0.01) ? [mutant as unknown as Holder, 'value'] : random.pick(places);
    changeAt(at, places, donor, random);
  }
  if (random.chance(0.0005)) widen(mutant, random);
  if (random.chance(0.002)) mutant = { value: { deep: mutant.value, down: nested(20_000) } };
  return mutant.value;
}

/** A list of very many entries: more than a call takes arguments. */
function widen(value: Json, random: Random): void {
  const lists = placesIn(value).filter(([holder, name]) => Array.isArray(holder[name]) && (holder[name] as Json[]).length > 0);
  if (lists.length === 0) return;
  const [holder, name] = random.pick(lists);
  const [first] = holder[name] as Json[];
  holder[name] = Array(Math.min(130_000, Math.ceil(1_000_000 / JSON.stringify(first).length))).fill(first);
}

function changeAt([holder, name]: Place, places: Place[], donor: Json, random: Random): void {
  switch (random.int(0, 7)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(name as number, 1);
      else delete holder[name];
      return;
    case 1: {
      const other = placesIn(donor);
      if (other.length === 0) return;
      const [from, key] = random.pick(other);
      if (Array.isArray(holder) || random.chance(0.5)) holder[name] = structuredClone(from[key]);
      else holder[key] = structuredClone(from[key]);
      return;
    }
    case 2:
      if (Array.isArray(holder)) holder.splice(name as number, 0, structuredClone(holder[name as number]));
      else holder[`${name}s`] = holder[name];
      return;
    case 3: {
      if (places.length === 0) return;
      const [from, key] = random.pick(places);
      holder[name] = structuredClone(from[key]);
      return;
    }
    case 4:
      holder[name] = random.chance(0.5) ? [holder[name]] : { [random.pick(['text', 'type', 'content', 'a'])]: holder[name] };
      return;
    case 5:
      if (typeof holder[name] === 'string') holder[name] = mutateText(holder[name], random);
      else if (typeof holder[name] === 'number')
        holder[name] = random.pick([...ODD_NUMBERS, -holder[name], holder[name] + 0.5, holder[name] * 1e15, `${holder[name]}`]);
      else holder[name] = random.pick(ODD)();
      return;
    default:
      holder[name] = random.pick(ODD)();
  }
}

function mutateText(text: string, random: Random): string {
  const at = random.int(0, text.length);
  switch (random.int(0, 4)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return (
        text.slice(0, at) +
        random.pick(['\u0000', SURROGATE, '\n\n', '\r', '<tool_call>', '</tool_call>', '"', '\\', ':', ';base64,', '{']) +
        text.slice(at)
      );
    case 2:
      return text + text;
    case 3:
      return text.toUpperCase();
    default:
      return text.slice(at) + text.slice(0, at);
  }
}

/** Lone `0xff` and cut characters are no UTF-8; the rest is what framings are made of. */
const ODD_BYTES = [
  [0xff],
  [0xc3],
  [0xed, 0xa0, 0x80],
  [0],
  [10],
  [13],
  [13, 10],
  [10, 10],
  [0xef, 0xbb, 0xbf],
  [0x22],
  [0x7b],
  [0x5b],
  [0x5c],
];

export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  let mutant = Buffer.from(bytes);
  for (let times = random.pick([1, 1, 2, 4]); times > 0; times--) {
    const [start, end] = [random.int(0, mutant.length), random.int(0, mutant.length)].sort((a, b) => a - b) as [number, number];
    const cut = mutant.subarray(start, Math.min(end, start + 200));
    switch (random.int(0, 6)) {
      case 0:
        if (start < mutant.length) mutant[start] = mutant[start]! ^ (1 << random.int(0, 7));
        break;
      case 1:
        mutant = mutant.subarray(0, start);
        break;
      case 2:
        mutant = Buffer.concat([mutant.subarray(0, start), mutant.subarray(end)]);
        break;
      case 3:
        mutant = Buffer.concat([mutant.subarray(0, end), cut, mutant.subarray(end)]);
        break;
      case 4:
        mutant = Buffer.concat([mutant.subarray(0, start), Buffer.from(random.pick(ODD_BYTES)), mutant.subarray(start)]);
        break;
      case 5:
        mutant = Buffer.from(mutant.toString('latin1').replaceAll('\n', random.pick(['\r\n', '\r', '\n\n', '\n'])), 'latin1');
        break;
      default:
        mutant = Buffer.concat([mutant.subarray(0, start), Buffer.from(random.pick(['[', '{"a":']).repeat(3_000)), mutant.subarray(start)]);
    }
  }
  return mutant;
}

/** The bytes in pieces of any size. */
export function chunksOf(bytes: Buffer, random: Random): Buffer[] {
  const most = random.pick([1, 7, 64, 1024, bytes.length + 1]);
  const least = bytes.length > 20_000 ? 16 : 1;
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = random.int(least, Math.max(least, most));
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}
