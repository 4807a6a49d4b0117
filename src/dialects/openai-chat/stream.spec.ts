import fc from 'fast-check';
import { WeirError } from '../../kernel/errors.js';
import { atOnce } from '../../kernel/slices.js';
import { chatSurface } from './index.js';
import { ChatStreamReader } from './stream.js';

const decode = (fields: object) => chatSurface.decodeRequest({ model: 'p/m', messages: [{ role: 'user', content: 'Hi' }], ...fields }, 64);

const CHUNKS = [
  {
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 5,
    model: 'm-1',
    choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }],
    usage: null,
  },
  {
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 5,
    model: 'm-1',
    choices: [{ index: 0, delta: { content: 'Grüße 👋' }, finish_reason: null }],
    usage: null,
  },
  {
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 5,
    model: 'm-1',
    choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
    usage: null,
  },
  {
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 5,
    model: 'm-1',
    choices: [],
    usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
  },
];
const event = (data: unknown) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
const STREAM = Buffer.from([...CHUNKS, '[DONE]'].map(event).join(''));

function read(includeUsage: boolean, chunks: Buffer[]) {
  const reader = new ChatStreamReader(decode({ stream: true, stream_options: { include_usage: includeUsage } }), 10_000);
  const out = [...chunks.flatMap((chunk) => atOnce(reader.push(chunk))), ...atOnce(reader.finish())];
  return { reader, text: Buffer.concat(out).toString() };
}

test('a client that asked for usage sees every event as it came, and the usage chunk in the tail', () => {
  const { reader, text } = read(true, [STREAM]);
  expect(text).toBe(CHUNKS.slice(0, 3).map(event).join(''));
  expect(reader.tail(reader.facts.usage!, 0.5).toString()).toBe(
    event({ ...CHUNKS[3], usage: { ...CHUNKS[3]!.usage, cost: 0.5 } }) + event('[DONE]'),
  );
});

test('a client that did not ask sees no trace of usage', () => {
  const { reader, text } = read(false, [STREAM]);
  expect(text).not.toContain('usage');
  expect(text.split('\n\n').length).toBe(4);
  expect(reader.tail(reader.facts.usage!, 0.5).toString()).toBe(event('[DONE]'));
});

test('any chunking gives the same bytes and the same facts', () => {
  const whole = read(true, [STREAM]);
  fc.assert(
    fc.property(fc.array(fc.nat(STREAM.length), { maxLength: 10 }), fc.boolean(), (points, includeUsage) => {
      const at = [0, ...points.sort((a, b) => a - b), STREAM.length];
      const chunks = at.slice(1).map((end, index) => STREAM.subarray(at[index], end));
      const { reader, text } = read(includeUsage, chunks);
      expect(reader.facts).toEqual(whole.reader.facts);
      expect(text).toBe(read(includeUsage, [STREAM]).text);
      expect(reader.complete).toBe(true);
    }),
  );
});

test('any cut before the finish is incomplete, still tells what it saw, and gives the client no half event', () => {
  const finishAt = STREAM.indexOf('"finish_reason":"stop"');
  const events = read(true, [STREAM]).text.split(/\n+/);
  for (let end = 0; end < finishAt; end++) {
    const { reader, text } = read(true, [STREAM.subarray(0, end)]);
    const seen = text.split(/\n+/).filter(Boolean);
    expect(seen).toEqual(events.slice(0, seen.length));
    expect(reader.complete).toBe(false);
    expect(reader.facts.usage).toBeNull();
  }
});

test('an error inside the stream is a refusal, not an answer', () => {
  const { reader, text } = read(true, [
    Buffer.from(event(CHUNKS[0]) + event({ error: { message: 'overloaded', code: 529 } }) + event('[DONE]')),
  ]);
  expect(reader.refusal).toEqual({ class: 'overloaded', message: 'overloaded' });
  expect(reader.complete).toBe(false);
  expect(text).toBe(event(CHUNKS[0]));
});

test('usage that comes with an error is kept', () => {
  const { reader } = read(true, [Buffer.from(event({ ...CHUNKS[0], error: { message: 'limit', code: 400 }, usage: CHUNKS[3]!.usage }))]);
  expect(reader.refusal?.class).toBe('bad_request');
  expect(reader.facts.usage).toMatchObject({ input: 9, output: 3 });
});

test('usage in the choice or in an extension is read, and passes as it is', () => {
  for (const extra of [{ x_groq: { usage: CHUNKS[3]!.usage } }, { choices: [{ ...CHUNKS[2]!.choices[0], usage: CHUNKS[3]!.usage }] }]) {
    const last = { ...CHUNKS[2], usage: undefined, ...extra };
    const { reader, text } = read(true, [Buffer.from(event(CHUNKS[0]) + event(last))]);
    expect(reader.facts.usage).toMatchObject({ input: 9, output: 3 });
    expect(text).toBe(event(CHUNKS[0]) + event(last));
    expect(reader.tail(reader.facts.usage!, null).toString()).toContain('"choices":[],"usage":{');
  }
});

test('zeros beside the true usage do not replace it, in either order', () => {
  const zeros = { ...CHUNKS[3], usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } };
  for (const order of [
    [zeros, CHUNKS[3]],
    [CHUNKS[3], zeros],
  ]) {
    const { reader } = read(true, [Buffer.from([...CHUNKS.slice(0, 3), ...order].map(event).join(''))]);
    expect(reader.facts.usage).toMatchObject({ input: 9, output: 3 });
    expect(reader.tail(reader.facts.usage!, null).toString()).toContain('"prompt_tokens":9');
  }
});

test('a chunk after the usage chunk is passed on', () => {
  const after = { ...CHUNKS[3], usage: null, moderation: { flagged: false } };
  const { text } = read(true, [Buffer.from([...CHUNKS, after, '[DONE]'].map(event).join(''))]);
  expect(text.endsWith(event(after))).toBe(true);
});

test('a failure has the form of an error, and no end follows', () => {
  const { reader } = read(true, []);
  expect(JSON.parse(reader.failure(new WeirError('upstream_interrupted')).toString().slice(6))).toMatchObject({
    error: { code: 'upstream_interrupted' },
  });
});

test('words about usage and errors in the text change nothing', () => {
  const chunk = {
    ...CHUNKS[1],
    choices: [
      {
        index: 0,
        delta: { role: 'assistant', content: '"usage":null "error":{"message":"x"} "finish_reason":"stop"' },
        finish_reason: null,
      },
    ],
    usage: undefined,
  };
  const { reader, text } = read(false, [Buffer.from(event(chunk))]);
  expect(text).toBe(event(chunk));
  expect(reader.facts.finishReason).toBeNull();
  expect(reader.refusal).toBeNull();
});

test('an empty finish reason is none', () => {
  const { reader } = read(false, [
    Buffer.from(event({ ...CHUNKS[1], choices: [{ index: 0, delta: { content: 'x' }, finish_reason: '' }] })),
  ]);
  expect([reader.complete, reader.facts.finishReason]).toEqual([false, null]);
});

test('usage in a chunk with choices is read, and hidden from a client who did not ask', () => {
  const last = { ...CHUNKS[2], usage: CHUNKS[3]!.usage };
  const { reader, text } = read(false, [Buffer.from(event(CHUNKS[0]) + event(last) + event('[DONE]'))]);
  expect(reader.facts.usage).toMatchObject({ input: 9, output: 3 });
  expect(text).not.toContain('usage');
  expect(text).toContain('"finish_reason":"stop"');
});

test.each(['null', '[]', '"usage"', '["content",{"error":1}]'])('a chunk that is %s ends the stream with an error', (data) => {
  const reader = new ChatStreamReader(decode({ stream: true }), 100);
  expect(() => atOnce(reader.push(Buffer.from(`data: ${data}\n\n`)))).toThrow('a chunk that is no object');
});

test.each(['{"id":"c1","choices":[{"index":0,"delta":{"content":"x"}}]', '[1]', '"x"'])(
  'data that is no chunk ends the stream, and is not passed on: %s',
  (data) => expect(() => read(false, [Buffer.from(event(data)), STREAM])).toThrow(),
);

test('of two counts the larger of each side is booked, whichever came last', () => {
  const reader = new ChatStreamReader(decode({ stream: true }), 100);
  const smaller = { ...CHUNKS[3], usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } };
  atOnce(reader.push(Buffer.from([...CHUNKS, smaller].map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(''))));
  atOnce(reader.finish());
  expect(reader.facts.usage).toMatchObject({ input: 9, output: 3 });
});
