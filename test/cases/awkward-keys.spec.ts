import { REPLY_FORMATS, type ReplyFormat } from '../support/tool-replies.js';
import { json } from '../support/upstream.js';
import { caseRig } from './support/case-rig.js';

const rig = caseRig();

const USAGE = { input: 9, cacheRead: 0, output: 12 };
const typeOf = ({ type, dialect }: ReplyFormat): string => (type === 'openai' ? `openai (dialect: ${dialect})` : type);

/** Names that mean something to JavaScript. As text, since a literal in the code would be another thing. */
const HELD = '{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}},"toString":"t","city":"Paris"}';
const SCHEMA =
  '{"type":"object","properties":{"__proto__":{"type":"string","description":"p"},"constructor":{"type":"object","properties":{"prototype":{"type":"string","description":"c"}}},"city":{"type":"string"}},"required":["__proto__","city"]}';
const quoted = JSON.stringify(HELD);

/** A request of each format with these names in a tool's schema, in the arguments of a call before, and in its result. */
const BODIES: Record<string, string> = {
  '/v1/chat/completions': `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":${quoted}}}]},{"role":"tool","tool_call_id":"c1","content":${quoted}}],"tools":[{"type":"function","function":{"name":"f","parameters":${SCHEMA}}}]}`,
  '/v1/responses': `{"input":[{"role":"user","content":"Hi"},{"type":"function_call","call_id":"c1","name":"f","arguments":${quoted}},{"type":"function_call_output","call_id":"c1","output":${quoted}}],"tools":[{"type":"function","name":"f","parameters":${SCHEMA},"strict":false}]}`,
  '/v1/messages': `{"max_tokens":50,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":${HELD}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":${quoted}}]}],"tools":[{"name":"f","input_schema":${SCHEMA}}]}`,
};
const CELLS = Object.keys(BODIES).flatMap((path) =>
  Object.values(REPLY_FORMATS).map((format) => ({ path, format, dialect: format.dialect })),
);

/** What is within a body, whether as JSON or as text that is JSON. */
const unquoted = (text: string): string => text.replaceAll('\\', '');

afterEach(() => expect(({} as Record<string, unknown>)['polluted']).toBeUndefined());

test.each(CELLS)('on $path to $dialect names that mean something to JavaScript pass as others do', async ({ path, format }) => {
  const seen = await rig.send(path, typeOf(format), format.model, BODIES[path]!, format.says({ text: 'ok', usage: USAGE }));
  expect(seen.status).toBe(200);
  const sent = unquoted(seen.sent!.text);
  expect(sent.split(HELD).length).toBeGreaterThan(2);
  for (const named of ['"__proto__":{"type":"string"', '"constructor":{"type":"object"', '"prototype":{"type":"string"'])
    expect(sent.toLowerCase()).toContain(named);
  expect(sent).toMatch(/"required":\["__proto__","city"/);
});

test.each(Object.keys(BODIES))('on %s they pass at the top and in metadata, and mean nothing', async (path) => {
  const format = Object.values(REPLY_FORMATS).find(({ dialect }) => dialect === NATIVE[path])!;
  const extra = '"__proto__":{"stream":true},"constructor":{"prototype":{"stream":true}},"metadata":{"__proto__":"p","user_id":"u"},';
  const body = BODIES[path]!.replace('{', `{${extra}`);
  const seen = await rig.send(path, typeOf(format), format.model, body, format.says({ text: 'ok', usage: USAGE }));
  expect([seen.status, seen.events]).toEqual([200, []]);
  expect(seen.sent!.text).toContain(extra.slice(0, -1));
});
const NATIVE: Record<string, string> = {
  '/v1/chat/completions': 'openai-chat',
  '/v1/responses': 'openai-responses',
  '/v1/messages': 'anthropic-messages',
};

test('embeddings pass them, and numbers and the order of keys, as they came', async () => {
  const vectors = {
    object: 'list',
    model: 'm',
    data: [{ object: 'embedding', index: 0, embedding: [0.5] }],
    usage: { prompt_tokens: 1, total_tokens: 1 },
  };
  const body = '{ "input":["Hi"], "b":1.0, "a":9007199254740993, "2":1e2, "1":{"__proto__":-0},"dimensions":  8 }';
  const seen = await rig.send('/v1/embeddings', 'openai', 'm', body, json(200, vectors));
  expect(seen.status).toBe(200);
  expect(seen.sent!.text).toBe(body.replace('{', '{"model":"m",'));
});
