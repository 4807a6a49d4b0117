import { isObject, type JsonObject, listOf, objectOf, textOf } from './json.js';

/** The most bytes that a tool takes whose schema is known by its type, written out for a model that does not know it. */
const MAX_TYPED_TOOL_BYTES = 1_500;

/** The lists of tools in a request of any format: its own, and those that items of its input bring. */
export function toolsIn(body: Readonly<JsonObject>): JsonObject[] {
  const holders = [body, ...listOf(body['input']).filter(isObject)];
  return [...listOf(body['functions']), ...holders.flatMap((holder) => listOf(holder['tools']))].map(objectOf);
}

/** The most tokens that tools, but those that come with their schema, take in the request to a provider of another format, beyond what the client sent. */
export function addedToolTokens(tools: readonly JsonObject[]): number {
  let added = 0;
  for (const tool of tools) {
    const inner = listOf(tool['tools']).map(objectOf);
    // The name of a namespace is said with each of its tools, and again where a search has found it.
    if (tool['type'] === 'namespace')
      added += 2 * (Buffer.byteLength(textOf(tool['name']) ?? '') + 4) * (inner.length + 1) + addedToolTokens(inner);
    else if (tool['type'] !== undefined && tool['type'] !== 'function' && tool['input_schema'] === undefined) added += MAX_TYPED_TOOL_BYTES;
  }
  return added;
}
