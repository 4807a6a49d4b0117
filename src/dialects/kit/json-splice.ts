import { type Part, partsOf, skipSpace } from '../../kernel/json-scan.js';
import { isObject, type JsonObject, writeJson } from './json.js';

/** A JSON text and the value that was read of it. */
export interface Source {
  text: string;
  value: JsonObject;
}

/**
 * A changed copy of what was read, as the text with only that changed: what is the same value in both stays byte for byte. New members stand at
 * the end of their object.
 */
export function spliceJson({ text, value }: Source, changed: JsonObject): string {
  return spliceAt(text, skipSpace(text, 0), value, changed);
}

/** A request's body as it goes to a provider that speaks the client's format. @param source absent: it was made here. */
export const writeBody = (source: Source | undefined, body: JsonObject): string => (source ? spliceJson(source, body) : writeJson(body));

/** @param at where the value before lies in the text. */
function spliceAt(text: string, at: number, before: unknown, after: unknown): string {
  if (isObject(before) && isObject(after)) return spliceObject(text, at, before, after);
  if (Array.isArray(before) && Array.isArray(after)) return spliceList(text, at, before, after);
  return writeJson(after);
}

function spliceObject(text: string, at: number, before: JsonObject, after: JsonObject): string {
  const { parts } = partsOf(text, at);
  const kept = parts.filter(({ key }) => isThere(after, key!));
  const added = Object.keys(after).filter((key) => !Object.hasOwn(before, key) && isThere(after, key));
  return `{${[
    ...kept.map((part) => splicePart(text, part, before[part.key!], after[part.key!])),
    ...added.map((key) => `${JSON.stringify(key)}:${writeJson(after[key])}`),
  ].join(',')}}`;
}

const isThere = (object: JsonObject, key: string): boolean => Object.hasOwn(object, key) && object[key] !== undefined;

/** Entries that were left out or came between change the places of the others: each is known by what it is. */
function spliceList(text: string, at: number, before: readonly unknown[], after: readonly unknown[]): string {
  const { parts } = partsOf(text, at);
  const isMoved = before.length !== after.length;
  const places = isMoved ? new Map(before.map((entry, index) => [entry, index])) : null;
  const entries = after.map((entry, index) => {
    const place = places ? places.get(entry) : index;
    return place === undefined ? writeJson(entry) : splicePart(text, parts[place]!, before[place], entry);
  });
  return `[${entries.join(',')}]`;
}

function splicePart(text: string, { start, end, value }: Part, before: unknown, after: unknown): string {
  if (before === after) return text.slice(start, end);
  return text.slice(start, value.start) + spliceAt(text, value.start, before, after) + text.slice(value.end, end);
}
