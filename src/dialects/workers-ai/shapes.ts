import { argumentsText } from '../kit/arguments-text.js';
import { isObject, type JsonObject, listOf, objectOf, writeJson } from '../kit/json.js';

/** Today's models answer as chat does. What a model does is told by what it sends, not by its name: some do both. */
export const isModern = (reply: JsonObject): boolean => listOf(reply['choices']).length > 0;

/** Older models have the answer's text, or its calls, at the top. */
export const isLegacy = (reply: JsonObject): boolean => reply['response'] !== undefined || Array.isArray(reply['tool_calls']);

/** What an answer or a piece of it says, as a chat message or delta. @param firstCall how many calls came before. */
export function messageOf(reply: JsonObject, firstCall: number): JsonObject {
  return {
    content: textOf(reply['response']),
    tool_calls: listOf(reply['tool_calls']).map((value, at) => toolCall(objectOf(value), firstCall + at)),
  };
}

/** The answer to a schema comes as an object, and a piece that is a number as one. */
const textOf = (response: unknown): string => (isObject(response) || Array.isArray(response) ? writeJson(response) : `${response ?? ''}`);

/** Without an id, and its arguments as an object. */
function toolCall(call: JsonObject, index: number): JsonObject {
  const { name, arguments: args } = isObject(call['function']) ? call['function'] : call;
  return { index, id: call['id'] ?? null, type: 'function', function: { name, arguments: argumentsText(args) } };
}
