/** Looks into a JSON text without parsing it: for streams, where most events only pass through, and for what a value does not tell of its text. */

import type { Work } from './slices.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Calls `found` with where each string value of a key lies, its quotes left out. A key inside a string has escaped quotes and does not match.
 * @param key with its quotes, e.g. `"content"`. @param from where to begin.
 */
export function eachString(json: string, key: string, found: (start: number, end: number) => void, from = 0): void {
  for (let at = json.indexOf(key, from); at !== -1; at = json.indexOf(key, at)) {
    at += key.length;
    const start = stringStart(json, at);
    if (start === -1) continue;
    at = stringEnd(json, start);
    found(start, at);
  }
}

/** Position after the opening quote of the value that follows a key; -1 when the value is no string. */
function stringStart(json: string, afterKey: number): number {
  const colon = skipSpace(json, afterKey);
  if (json.charCodeAt(colon) !== COLON) return -1;
  const value = skipSpace(json, colon + 1);
  return json.charCodeAt(value) === QUOTE ? value + 1 : -1;
}

/** Position of the next character that is no white space. */
export function skipSpace(json: string, at: number): number {
  let next = at;
  while (isSpace(json.charCodeAt(next))) next++;
  return next;
}

const isSpace = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d);

/** Position of the quote that ends a string; the end of the text when it is cut. @param start after the opening quote. */
export function stringEnd(json: string, start: number): number {
  for (let quote = json.indexOf('"', start); quote !== -1; quote = json.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (json.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote;
  }
  return json.length;
}

/** Where a value lies in a JSON text. */
interface Place {
  start: number;
  end: number;
}

/** A member of an object or an entry of a list. */
export interface Part extends Place {
  /** Of a member; null: it is an entry. */
  key: string | null;
  value: Place;
}

/**
 * The members of an object, or the entries of a list. Each lies between two commas or brackets, white space and all.
 * @param json valid. @param at its bracket. @returns and where the closing bracket is.
 */
export function partsOf(json: string, at: number): { parts: Part[]; end: number } {
  const isObject = json.charCodeAt(at) === OPEN_OBJECT;
  const parts: Part[] = [];
  let start = at + 1;
  let next = skipSpace(json, start);
  while (!isClosing(json.charCodeAt(next))) {
    let key: string | null = null;
    if (isObject) {
      const keyEnd = stringEnd(json, next + 1);
      key = keyIn(json, next + 1, keyEnd);
      next = skipSpace(json, skipSpace(json, keyEnd + 1) + 1);
    }
    const value = { start: next, end: valueEnd(json, next) };
    const end = skipSpace(json, value.end);
    parts.push({ key, value, start, end });
    if (json.charCodeAt(end) !== COMMA) return { parts, end };
    start = end + 1;
    next = skipSpace(json, start);
  }
  return { parts, end: next };
}

const isClosing = (code: number): boolean => code === CLOSE_OBJECT || code === CLOSE_LIST;

/** A key by where it lies, its quotes left out. */
export function keyIn(json: string, start: number, end: number): string {
  const key = json.slice(start, end);
  return key.includes('\\') ? (JSON.parse(`"${key}"`) as string) : key;
}

/** Position after a value. */
function valueEnd(json: string, start: number): number {
  let depth = 0;
  let at = start;
  do {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(json, at + 1) + 1;
    else if (code === OPEN_OBJECT || code === OPEN_LIST) {
      depth++;
      at++;
    } else if (isClosing(code)) {
      depth--;
      at++;
    } else at = code === COMMA || code === COLON || isSpace(code) ? at + 1 : wordEnd(json, at);
  } while (depth > 0);
  return at;
}

/** Position after a number, `true`, `false` or `null`. */
export function wordEnd(json: string, start: number): number {
  let end = start + 1;
  for (; end < json.length; end++) {
    const code = json.charCodeAt(end);
    if (code === COMMA || isClosing(code) || isSpace(code)) break;
  }
  return end;
}

/** What the values of a JSON text do not tell. */
export interface Survey {
  /** Members of objects, each as often as it is written. */
  members: number;
  /** Numbers that JavaScript may write otherwise, and keys that it may move. */
  odd: number;
}

/** @param json valid. */
export function survey(json: string): Survey {
  let members = 0;
  let odd = 0;
  let lastString = 0;
  for (let at = 0; at < json.length; ) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      lastString = at + 1;
      at = stringEnd(json, lastString) + 1;
    } else if (code === COLON) {
      members++;
      if (isDigit(json.charCodeAt(lastString))) odd++;
      at++;
    } else if (isDigit(code) || code === MINUS) {
      const end = wordEnd(json, at);
      if (!isPlainNumber(json, at, end)) odd++;
      at = end;
    } else at++;
  }
  return { members, odd };
}

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const isDigit = (code: number): boolean => code >= ZERO && code <= 0x39;
/** JavaScript keeps as many digits of any number. */
const SAFE_DIGITS = 15;

/** Whether JavaScript writes a number as it stands here. */
export function isPlainNumber(json: string, start: number, end: number): boolean {
  let point = false;
  let simple = end - start <= SAFE_DIGITS && isDigit(json.charCodeAt(end - 1));
  for (let at = start; simple && at < end; at++) {
    const code = json.charCodeAt(at);
    if (code === POINT) point = true;
    else simple = isDigit(code) || (at === start && code === MINUS);
  }
  const last = json.charCodeAt(end - 1);
  // A fraction that begins with zeros may be written with an exponent.
  if (simple && !point && (json.charCodeAt(start) !== MINUS || last !== ZERO)) return true;
  if (simple && point && last !== ZERO && !json.startsWith('0.000', start) && !json.startsWith('-0.000', start)) return true;
  const text = json.slice(start, end);
  return String(Number(text)) === text;
}

/** How many lists, objects and entries a text seems to have, JSON or not. It stops counting at `most`. */
export function valuesIn(json: string, most: number): number {
  let values = 0;
  for (let at = 0; at < json.length && values < most; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(json, at + 1);
    else if (code === COMMA || code === OPEN_LIST || code === OPEN_OBJECT) values++;
  }
  return values;
}

/** Members between two places where the work may be interrupted. */
const MEMBERS_AT_ONCE = 500;

/** A key that an object has twice. Null: none has. @param json valid. */
export function* repeatedKey(json: string): Work<string | null> {
  const open: Set<string>[] = [];
  let lastString: Place = { start: 0, end: 0 };
  let members = 0;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      lastString = { start: at + 1, end: stringEnd(json, at + 1) };
      at = lastString.end;
    } else if (code === OPEN_OBJECT) open.push(new Set());
    else if (code === CLOSE_OBJECT) open.pop();
    else if (code === COLON) {
      const key = keyIn(json, lastString.start, lastString.end);
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
      if (++members % MEMBERS_AT_ONCE === 0) yield;
    }
  }
  return null;
}
