export type JsonObject = Record<string, unknown>;

/** The value as an object; an empty one when it is none. For reading what others wrote. */
export const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {});

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value as a list; an empty one when it is none. */
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** The value as a text; null when it is none. */
export const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** The value of a JSON text; undefined when it is no JSON. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
