export type JsonObject = Record<string, unknown>;

/** The value as an object; an empty one when it is none. For reading what others wrote. */
export const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {});

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value as a list; an empty one when it is none. */
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** The value as a text; null when it is none. */
export const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const MAX_DEPTH = 128;

/** The value of a JSON text from outside. What is nested deeper could be read, but never written again. @throws when it is none, or too deep. */
export function readJson(json: string): unknown {
  const value: unknown = JSON.parse(json);
  if (mayBeDeep(json) && !isShallow(value, MAX_DEPTH)) throw new Error(`JSON that is nested more than ${MAX_DEPTH} levels deep`);
  return value;
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

/** The value of a JSON text; undefined when it is no JSON, or too deep. */
export function parsed(json: string): unknown {
  try {
    return readJson(json);
  } catch {
    return undefined;
  }
}

/** JSON writes escapes into texts, for which it looks at each character: too long for pictures. */
const LONG_TEXT = 64 * 1024;

/** As `JSON.stringify`, but fast for long base64. */
export function writeJson(value: JsonObject): string {
  const holders = new Set<object>();
  return findHolders(value, holders) ? write(value, holders)! : JSON.stringify(value);
}

/** Notes each object and list with a long text somewhere in it. */
function findHolders(value: unknown, holders: Set<object>): boolean {
  if (typeof value === 'string') return value.length > LONG_TEXT;
  if (typeof value !== 'object' || value === null) return false;
  let holds = false;
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
    for (const entry of value) text += `${text && ','}${write(entry, holders) ?? 'null'}`;
    return `[${text}]`;
  }
  for (const [name, inner] of Object.entries(value)) {
    const written = write(inner, holders);
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
