import { REPLY_FORMATS } from '../support/tool-replies.js';
import { stream } from '../support/upstream.js';
import { caseRig, type Outcome } from './support/case-rig.js';

/** Models that are asked in Responses take no stop sequences, so Weir ends their answers. */
const rig = caseRig();

type Json = ReturnType<typeof JSON.parse>;

const FORMAT = Object.values(REPLY_FORMATS).find(({ dialect }) => dialect === 'openai-responses')!;
const USAGE = { input: 9, cacheRead: 0, output: 12 };

const SURFACES: Record<
  string,
  { path: string; body: object; field: string; textOf(seen: Outcome): string; endOf(seen: Outcome): unknown }
> = {
  chat: {
    path: '/v1/chat/completions',
    body: { messages: [{ role: 'user', content: 'Hi' }] },
    field: 'stop',
    textOf: ({ body, events }) => body?.choices[0].message.content ?? events.map(({ choices }) => choices[0]?.delta.content ?? '').join(''),
    endOf: ({ body, events }) =>
      (body ? body.choices : events.flatMap(({ choices }) => choices))
        .map((choice: Json) => choice.finish_reason)
        .filter(Boolean)
        .at(-1),
  },
  Messages: {
    path: '/v1/messages',
    body: { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 100 },
    field: 'stop_sequences',
    textOf: ({ body, events }) =>
      body?.content.map(({ text }: Json) => text).join('') ?? events.map(({ delta }) => delta?.text ?? '').join(''),
    endOf: ({ body, events }) => (body ?? events.find(({ type }) => type === 'message_delta').delta).stop_reason,
  },
};

const TEXTS: [string, string[], string][] = [
  ['one two three', ['two'], 'one '],
  ['one two three', ['four'], 'one two three'],
  ['one two three', ['three', 'two'], 'one '],
  ['aaab', ['aab'], 'a'],
  ['END', ['END'], ''],
  ['one two three', ['', 'three'], 'one two '],
  ['one two three', ['two three four', 'o t', 'wo'], 'one t'],
  ['before\n\nafter', ['\n\n'], 'before'],
  ['it ends with a beginning <', ['</end>'], 'it ends with a beginning <'],
  ['ünïcödé ✓ stop here', ['✓ stop'], 'ünïcödé '],
];

const CELLS = Object.entries(SURFACES).flatMap(([surface, forms]) =>
  TEXTS.flatMap(([text, stop, left]) => [false, true].map((streamed) => ({ surface, ...forms, text, stop, left, streamed }))),
);

test.each(CELLS)(
  '$text is cut at $stop over $surface, streamed: $streamed',
  async ({ path, body, field, text, stop, left, streamed, textOf, endOf, surface }) => {
    const asked = { ...body, [field]: stop, stream: streamed };
    const seen = await rig.send(path, 'openai (dialect: openai-responses)', 'gpt-5.4', asked, FORMAT.says({ text, usage: USAGE }));
    expect([seen.status, seen.warnings, textOf(seen)]).toEqual([200, '', left]);
    expect(endOf(seen)).toBe(surface === 'chat' ? 'stop' : left === text ? 'end_turn' : 'stop_sequence');
  },
);

test.each(Object.entries(SURFACES))('more than 1,000 characters of them are refused over %s', async (_, { path, body, field }) => {
  const send = (stop: string[]) =>
    rig.send(path, 'openai (dialect: openai-responses)', 'gpt-5.4', { ...body, [field]: stop }, FORMAT.says({ text: 'x', usage: USAGE }));
  expect((await send(['a'.repeat(500), 'b'.repeat(500)])).status).toBe(200);
  const refused = await send(['a'.repeat(500), 'b'.repeat(501)]);
  expect([refused.status, refused.body.error.message]).toEqual([400, expect.stringContaining(`"${field}"`)]);
});

test('a sequence that comes in pieces is found', async () => {
  const event = (fields: object) => `data: ${JSON.stringify(fields)}\n\n`;
  const pieces = ['one <', '/', 'en', 'd> two'].map((delta) =>
    event({ type: 'response.output_text.delta', output_index: 0, content_index: 0, item_id: 'm', delta }),
  );
  const response = { id: 'r', model: 'm', status: 'completed', output: [], usage: { input_tokens: 1, output_tokens: 9, total_tokens: 10 } };
  const script = stream([event({ type: 'response.created', response }), ...pieces, event({ type: 'response.completed', response })]);
  const { path, body, textOf } = SURFACES['chat']!;
  const seen = await rig.send(path, 'openai (dialect: openai-responses)', 'gpt-5.4', { ...body, stop: '</end>', stream: true }, script);
  expect(textOf(seen)).toBe('one ');
});
