import { type JsonObject, objectOf, writeJson } from '../../kit/json.js';

/** For providers that know JSON but no schema: the schema becomes an instruction. */
export function fitFormat(body: JsonObject): void {
  const format = objectOf(body['response_format']);
  if (format['type'] !== 'json_schema') return;
  body['response_format'] = { type: 'json_object' };
  const schema = writeJson(objectOf(format['json_schema'])['schema'] ?? {});
  body['messages'] = instructed(
    body['messages'] as JsonObject[],
    `Answer with one JSON object that matches this JSON Schema, and nothing else:\n${schema}`,
  );
}

/** Providers want the word in the prompt before they answer in JSON. */
export function instructJson(messages: JsonObject[]): JsonObject[] {
  const said = messages.some(({ content }) => /json/i.test(typeof content === 'string' ? content : JSON.stringify(content ?? '')));
  return said ? messages : instructed(messages, 'Answer with one JSON object, and nothing else.');
}

/** Behind the client's own instructions. */
function instructed(messages: JsonObject[], instruction: string): JsonObject[] {
  const at = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
  const first = at === -1 ? messages.length : at;
  return [...messages.slice(0, first), { role: 'system', content: instruction }, ...messages.slice(first)];
}
