import { WeirError } from '../../kernel/errors.js';
import { NO_USAGE, type Usage } from '../../kernel/usage.js';
import type { ReplyEvent } from '../canonical.js';
import { fold } from '../kit/fold.js';
import { framesOf } from '../kit/frames.js';
import { chatCompleteSurface } from './index.js';

const USAGE: Usage = { ...NO_USAGE, input: 5, cacheRead: 3, cacheWrite5m: 1, cacheWrite1h: 0, output: 2, reasoning: null };
const IDENTITY = { id: 'x1', createdAt: 5, model: 'p/m' };
const prompt = (fields: object = {}) =>
  chatCompleteSurface.decodeRequest({ model: 'p/m', messages: [{ role: 'user', content: 'Hi' }], ...fields }, 32);

const EVENTS: ReplyEvent[] = [
  { type: 'start', id: null, model: 'served' },
  { type: 'reasoning', choice: 0, block: 0, text: 'hm' },
  { type: 'text', choice: 0, text: 'Hel' },
  { type: 'text', choice: 0, text: 'lo' },
  { type: 'tool_call', choice: 0, call: 0, id: 'c1', name: 'f', signature: 'S' },
  { type: 'arguments', choice: 0, call: 0, text: '{"a"' },
  { type: 'arguments', choice: 0, call: 0, text: ':1}' },
];
const FINISH = { type: 'finish', choice: 0, reason: 'tool_calls', native: 'tool_use' } as const;
const MESSAGE = {
  role: 'assistant',
  content: 'Hello',
  refusal: null,
  reasoning_content: 'hm',
  tool_calls: [
    { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' }, extra_content: { google: { thought_signature: 'S' } } },
  ],
};
const SPENT = { input_tokens: 9, output_tokens: 2, total_tokens: 11, cache_read_tokens: 3, cache_write_tokens: 1, reasoning_tokens: null };

test('it does not stream unless asked to, and gives one answer', () => {
  expect([prompt().stream, prompt({ stream: true }).stream]).toEqual([false, true]);
  expect(() => prompt({ n: 2 })).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'n' }));
});

test('a tool may be bare', () => {
  const tools = [
    { name: 'f', description: 'Finds.', parameters: { type: 'object' } },
    { type: 'function', function: { name: 'g' } },
  ];
  expect(chatCompleteSurface.decodeConversation(prompt({ tools })).tools.map(({ name }) => name)).toEqual(['f', 'g']);
});

test('the events of a stream, in order', () => {
  const encoder = chatCompleteSurface.streamEncoder(prompt({ stream: true }), IDENTITY);
  const text =
    EVENTS.map((event) => encoder.push(event)).join('') + encoder.end({ finishes: [FINISH], usage: USAGE, usageRaw: null, costUsd: 0.5 });
  const frames = framesOf('sse', Buffer.from(text));
  expect(frames.every(({ event, data }) => JSON.parse(data).type === event)).toBe(true);
  expect(frames.map(({ data }) => JSON.parse(data))).toEqual([
    { type: 'delta', reasoning: 'hm' },
    { type: 'delta', text: 'Hel' },
    { type: 'delta', text: 'lo' },
    { type: 'tool_call', id: 'c1', name: 'f', arguments: { a: 1 } },
    { type: 'usage', ...SPENT, cost_usd: 0.5 },
    { type: 'finish', id: 'chat-x1', model: 'served', reason: 'tool_calls', native_reason: 'tool_use', message: MESSAGE },
  ]);
});

test('a failure is an event of its own', () => {
  const [frame] = framesOf(
    'sse',
    Buffer.from(chatCompleteSurface.streamEncoder(prompt(), IDENTITY).fail(new WeirError('upstream_interrupted'))),
  );
  expect(frame!.event).toBe('error');
  expect(JSON.parse(frame!.data)).toMatchObject({ type: 'error', error: { code: 'upstream_interrupted' } });
});

test('the whole answer says the same', () =>
  expect(JSON.parse(chatCompleteSurface.encodeAnswer(fold([...EVENTS, FINISH]), USAGE, IDENTITY, null, prompt({})))).toEqual({
    id: 'chat-x1',
    model: 'served',
    text: 'Hello',
    reasoning: 'hm',
    tool_calls: [{ id: 'c1', name: 'f', arguments: { a: 1 } }],
    finish: 'tool_calls',
    native_finish: 'tool_use',
    message: MESSAGE,
    usage: SPENT,
  }));

test('the message of an answer can be sent back', () => {
  const { turns } = chatCompleteSurface.decodeConversation(prompt({ messages: [{ role: 'user', content: 'Hi' }, MESSAGE] }));
  expect(turns[1]!.parts).toMatchObject([
    { type: 'reasoning', text: 'hm' },
    { type: 'text', text: 'Hello' },
    { type: 'tool_call', signature: 'S' },
  ]);
});
