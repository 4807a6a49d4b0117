import { survey, valuesIn } from '../../kernel/json-scan.js';
import { hasLiterals, hasToKeep, keepLiterals, keysOf, literalAt, literalOf } from './json-literals.js';

export type JsonObject = Record<string, unknown>;

/** The value as an object; an empty one when it is none. For reading what others wrote. */
export const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {});

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value as a list; an empty one when it is none. */
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** The value as a text; null when it is none. */
export const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const MAX_DEPTH = 128;

/**
 * The value of a JSON text from outside; `writeJson` writes its numbers and the order of its keys as they came. What is nested deeper could be
 * read, but never written again. @throws when it is none, or too deep.
 */
export function readJson(json: string): unknown {
  const value: unknown = JSON.parse(json);
  if (mayBeDeep(json) && !isShallow(value, MAX_DEPTH)) throw new Error(`JSON that is nested more than ${MAX_DEPTH} levels deep`);
  const surveyed = survey(json);
  // Where an object has a key twice, its text is not what was read of it.
  if (hasToKeep(surveyed) && countMembers(value) === surveyed.members) keepLiterals(json, value);
  return value;
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inner = Object.values(value);
  return inner.reduce<number>((sum, one) => sum + countMembers(one), Array.isArray(value) ? 0 : inner.length);
}

/** Hardly any text has so many brackets that it has to be looked at. */
function mayBeDeep(json: string): boolean {
  if (json.length < 2 * MAX_DEPTH) return false;
  let count = 0;
  for (const bracket of '[{')
    for (let at = json.indexOf(bracket); at !== -1; at = json.indexOf(bracket, at + 1)) if (++count > MAX_DEPTH) return true;
  return false;
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1));
}

/** A text with more values is not read: that would hold up other calls. A shorter text has fewer. */
const MAX_VALUES = 50_000;

/** The value of a JSON text within another; undefined when it is no JSON, too deep, or of too many values. */
export function parsed(json: string): unknown {
  if (json.length > MAX_VALUES && valuesIn(json, MAX_VALUES) === MAX_VALUES) return undefined;
  try {
    return readJson(json);
  } catch {
    return undefined;
  }
}

/** JSON writes escapes into texts, for which it looks at each character: too long for pictures. */
const LONG_TEXT = 64 * 1024;

/** As `JSON.stringify`, but fast for long base64, and with the numbers and the order of keys of what `readJson` read. */
export function writeJson(value: unknown): string {
  const holders = new Set<object>();
  return (findHolders(value, holders) ? write(value, holders) : JSON.stringify(value)) ?? 'null';
}

/** A member of an object as `writeJson` writes it. */
export const writeMember = (object: JsonObject, key: string): string => literalOf(object, key) ?? writeJson(object[key]);

/** Notes each object and list with something in it that `JSON.stringify` writes slowly or otherwise. */
function findHolders(value: unknown, holders: Set<object>): boolean {
  if (typeof value === 'string') return value.length > LONG_TEXT;
  if (typeof value !== 'object' || value === null) return false;
  let holds = hasLiterals(value);
  for (const inner of Array.isArray(value) ? value : Object.values(value)) if (findHolders(inner, holders)) holds = true;
  if (holds) holders.add(value);
  return holds;
}

/** Joined by `+`, which copies nothing. Undefined: it has no place in JSON. */
function write(value: unknown, holders: Set<object>): string | undefined {
  if (typeof value === 'string' && value.length > LONG_TEXT) return isPlain(value) ? `"${value}"` : JSON.stringify(value);
  if (typeof value !== 'object' || value === null || !holders.has(value)) return JSON.stringify(value);
  let text = '';
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++)
      text += `${text && ','}${literalAt(value, index) ?? write(value[index], holders) ?? 'null'}`;
    return `[${text}]`;
  }
  const object = value as JsonObject;
  for (const name of keysOf(object)) {
    const written = literalOf(object, name) ?? write(object[name], holders);
    if (written !== undefined) text += `${text && ','}${JSON.stringify(name)}:${written}`;
  }
  return `{${text}}`;
}

const DATA_URL = /^data:[\w.+/;=-]{0,200},/;

/** Whether it is base64, perhaps in a data URL, and so has nothing to escape. The decoder leaves out what is none, and is fast. */
function isPlain(text: string): boolean {
  const start = text.startsWith('data:') ? (DATA_URL.exec(text.slice(0, 256))?.[0].length ?? 0) : 0;
  const content = text.length - start - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
  if (content % 4 === 1 || Buffer.byteLength(text) !== text.length) return false;
  return Buffer.from(start === 0 ? text : text.slice(start), 'base64').length === Math.floor((content * 3) / 4);
}
