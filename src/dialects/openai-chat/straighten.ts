import { isObject, type JsonObject, listOf, objectOf, textOf } from '../kit/json.js';

/** Cheap to look for in a chunk's text; what it finds may be something else. */
const SUSPECT = /"content"\s*:\s*\[|"id"\s*:\s*""|"tool_calls"\s*:\s*null/;

export const maySwerve = (data: string): boolean => SUSPECT.test(data);

/**
 * A chunk as OpenAI would have written it: content as a text and not in parts (Mistral), no calls as null, an id on every call that begins.
 * Null: it is so already.
 * @param newId for a call without one.
 */
export function straightened(chunk: JsonObject, newId: (call: number) => string): JsonObject | null {
  let changed = false;
  const choices = listOf(chunk['choices']).map((choice) => {
    const delta = objectOf(choice)['delta'];
    const straight = isObject(delta) ? straightDelta(delta, newId) : null;
    if (!straight) return choice;
    changed = true;
    return { ...objectOf(choice), delta: straight };
  });
  return changed ? { ...chunk, choices } : null;
}

function straightDelta(delta: JsonObject, newId: (call: number) => string): JsonObject | null {
  const { content, tool_calls: calls, ...rest } = delta;
  const nameless = listOf(calls).some(beginsWithoutId);
  if (!Array.isArray(content) && calls !== null && !nameless) return null;
  return {
    ...rest,
    ...(Array.isArray(content) ? textsOf(content) : 'content' in delta && { content }),
    ...(Array.isArray(calls) && {
      tool_calls: calls.map((call, at) => (beginsWithoutId(call) ? withId(objectOf(call), at, newId) : call)),
    }),
  };
}

const beginsWithoutId = (call: unknown): boolean => isObject(call) && call['id'] === '' && !!textOf(objectOf(call['function'])['name']);

function withId(call: JsonObject, at: number, newId: (call: number) => string): JsonObject {
  const { index } = call;
  return { ...call, id: newId(typeof index === 'number' ? index : at) };
}

function textsOf(parts: unknown[]): JsonObject {
  const thoughts = parts.flatMap((part) => listOf(objectOf(part)['thinking'])).map(textIn);
  return { content: parts.map(textIn).join(''), ...(thoughts.length > 0 && { reasoning_content: thoughts.join('') }) };
}

const textIn = (part: unknown): string => textOf(objectOf(part)['text']) ?? '';
