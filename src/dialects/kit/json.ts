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
