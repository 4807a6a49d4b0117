import { isPlainNumber, keyIn, type Survey, skipSpace, stringEnd, wordEnd } from '../../kernel/json-scan.js';

/**
 * What JavaScript loses when it reads JSON: the digits of long numbers, how others are written (`1.0`, `1e2`, `-0`), and the order of keys that
 * are whole numbers. It is kept with the objects and lists that were read, so that they can be written as they came. A copy by `{...object}` has
 * it as well; a number counts only as long as it is the same.
 */
interface Literals {
  /** How numbers are written: of a list by index, of an object by key. */
  numbers: readonly (string | undefined)[] | ReadonlyMap<string, string>;
  /** In their order; null: as JavaScript has them. */
  keys: readonly string[] | null;
}

const LITERALS = Symbol('literals');
type Holder = object & { [LITERALS]?: Literals };

/** Whether an object or list has numbers or keys that JavaScript would write otherwise. What it holds is not asked. */
export const hasLiterals = (value: object): boolean => (value as Holder)[LITERALS] !== undefined;

/** How a number is written in a list; undefined: as JavaScript writes it. */
export function literalAt(list: readonly unknown[], index: number): string | undefined {
  const numbers = (list as Holder)[LITERALS]?.numbers as readonly string[] | undefined;
  return numbers && valid(numbers[index], list[index]);
}

/** How a number is written in an object; undefined: as JavaScript writes it. */
export function literalOf(object: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const numbers = (object as Holder)[LITERALS]?.numbers as ReadonlyMap<string, string> | undefined;
  return numbers && valid(numbers.get(key), object[key]);
}

const valid = (literal: string | undefined, value: unknown): string | undefined =>
  literal !== undefined && Number(literal) === value ? literal : undefined;

/** The keys of an object in their order. */
export function keysOf(object: Readonly<Record<string, unknown>>): readonly string[] {
  const keys = (object as Holder)[LITERALS]?.keys;
  if (!keys) return Object.keys(object);
  return [...new Set([...keys.filter((key) => Object.hasOwn(object, key)), ...Object.keys(object)])];
}

/** Makes an object of the members of another keep what was kept for that, where it is no copy by `{...object}`. */
export function withLiteralsOf<Copy extends Record<string, unknown>>(original: Readonly<Record<string, unknown>>, copy: Copy): Copy {
  const literals = (original as Holder)[LITERALS];
  if (literals) (copy as Holder)[LITERALS] = literals;
  return copy;
}

/** Keeping more would hold other calls up. No request has nearly as many, but for lists of numbers, which are written as JavaScript does. */
const MAX_KEPT = 20_000;

/** Whether there is something to keep. */
export const hasToKeep = ({ odd }: Survey): boolean => odd > 0 && odd <= MAX_KEPT;

/** Keeps what was lost when a text was read. @param json valid, not deep, and without a key twice in an object. @param value what was read of it. */
export function keepLiterals(json: string, value: unknown): void {
  new Keeper(json).read(value);
}

/** Goes through a text and the value that was read of it side by side. */
class Keeper {
  private at = 0;

  constructor(private readonly json: string) {}

  /** Leaves the position after the value. @returns how a number is written that JavaScript would change; else null. */
  read(value: unknown): string | null {
    const { json } = this;
    const start = skipSpace(json, this.at);
    if (typeof value === 'object' && value !== null) {
      this.at = start + 1;
      if (Array.isArray(value)) this.readList(value);
      else this.readObject(value as Record<string, unknown>);
      return null;
    }
    this.at = typeof value === 'string' ? stringEnd(json, start + 1) + 1 : wordEnd(json, start);
    return typeof value !== 'number' || isPlainNumber(json, start, this.at) ? null : json.slice(start, this.at);
  }

  private readList(list: readonly unknown[]): void {
    let numbers: (string | undefined)[] | null = null;
    for (let index = 0; index < list.length; index++) {
      const literal = this.read(list[index]);
      if (literal !== null) {
        numbers ??= [];
        numbers[index] = literal;
      }
      this.skipSign();
    }
    if (list.length === 0) this.skipSign();
    if (numbers) (list as Holder)[LITERALS] = { numbers, keys: null };
  }

  private readObject(object: Record<string, unknown>): void {
    const { json } = this;
    let numbers: Map<string, string> | null = null;
    const inJavaScript = Object.keys(object);
    const keys: string[] = [];
    while (keys.length < inJavaScript.length) {
      const start = skipSpace(json, this.at) + 1;
      const end = stringEnd(json, start);
      const key = keyIn(json, start, end);
      keys.push(key);
      this.at = skipSpace(json, end + 1) + 1;
      const literal = this.read(object[key]);
      if (literal !== null) {
        numbers ??= new Map();
        numbers.set(key, literal);
      }
      this.skipSign();
    }
    if (keys.length === 0) this.skipSign();
    const inOrder = inJavaScript.every((key, at) => key === keys[at]);
    if (numbers || !inOrder) (object as Holder)[LITERALS] = { numbers: numbers ?? NONE, keys: inOrder ? null : keys };
  }

  /** A comma or a closing bracket. */
  private skipSign(): void {
    this.at = skipSpace(this.json, this.at) + 1;
  }
}

const NONE: ReadonlyMap<string, string> = new Map();
