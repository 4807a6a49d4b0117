import Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import { WeirError } from '../../../kernel/errors.js';
import { NO_USAGE } from '../../../kernel/usage.js';
import type { Answer, ReplyEvent } from '../../canonical.js';
import { fold } from '../../kit/fold.js';
import { framesOf } from '../../kit/frames.js';
import { openState } from '../../kit/sealed-state.js';
import { anthropicMessages, messagesSurface } from '../index.js';

type Finish = Extract<ReplyEvent, { type: 'finish' }>;

const IDENTITY = { id: 'abc', createdAt: 1, model: 'asked' };
const USAGE = { ...NO_USAGE, input: 7, cacheRead: 5, cacheWrite5m: 2, cacheWrite1h: 1, output: 9, reasoning: 3 };
const PROMPT = messagesSurface.decodeRequest({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] }, 1);
const FINISH: Finish = { type: 'finish', choice: 0, reason: 'stop', native: null };

const text = (value: string): ReplyEvent => ({ type: 'text', choice: 0, text: value });
const call = (number: number, fields: object = {}): ReplyEvent => ({
  type: 'tool_call',
  choice: 0,
  call: number,
  id: `c${number}`,
  name: 'f',
  ...fields,
});
const args = (number: number, value: string): ReplyEvent => ({ type: 'arguments', choice: 0, call: number, text: value });
const thought = (value: string): ReplyEvent => ({ type: 'reasoning', choice: 0, block: 0, text: value });
const state = (fields: object): ReplyEvent => ({
  type: 'reasoning_state',
  choice: 0,
  block: 0,
  origin: 'anthropic',
  signature: null,
  redacted: null,
  id: null,
  ...fields,
});

function write(events: ReplyEvent[], finish: Partial<Finish> = {}): string {
  const encoder = messagesSurface.streamEncoder(PROMPT, IDENTITY);
  const body = events.map((event) => encoder.push(event)).join('');
  return body + encoder.end({ finishes: [{ ...FINISH, ...finish }], usage: USAGE, usageRaw: null, costUsd: null });
}
const dataOf = (sse: string) => framesOf('sse', Buffer.from(sse)).map(({ data }) => JSON.parse(data));

/** What the official client makes of a stream; it throws at a wrong order. */
async function readBySdk(sse: string): Promise<Anthropic.Message> {
  const client = new Anthropic({
    apiKey: 'x',
    maxRetries: 0,
    fetch: async () => new Response(sse, { headers: { 'content-type': 'text/event-stream' } }),
  });
  return client.messages.stream({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] }).finalMessage();
}

function readBack(sse: string): Answer {
  const decoder = anthropicMessages.streamDecoder();
  return fold([...framesOf('sse', Buffer.from(sse)).flatMap((frame) => decoder.push(frame)), ...decoder.end()]);
}

test('the official client reads text, thinking and calls', async () => {
  const sse = write(
    [
      { type: 'start', id: 'up', model: 'served' },
      thought('Hm'),
      state({ signature: 's==' }),
      text('Hel'),
      text('lo'),
      call(0),
      args(0, '{"a":'),
      args(0, '1}'),
      call(1),
      args(1, '{}'),
    ],
    { reason: 'tool_calls' },
  );
  expect(await readBySdk(sse)).toMatchObject({
    id: 'msg_abc',
    model: 'served',
    content: [
      { type: 'thinking', thinking: 'Hm', signature: 's==' },
      { type: 'text', text: 'Hello' },
      { type: 'tool_use', id: 'c0', name: 'f', input: { a: 1 } },
      { type: 'tool_use', id: 'c1', name: 'f', input: {} },
    ],
    stop_reason: 'tool_use',
    usage: { input_tokens: 7, cache_read_input_tokens: 5, cache_creation_input_tokens: 3, output_tokens: 9 },
  });
});

test('nothing is sent before there is content, and an answer without any is whole all the same', async () => {
  expect(messagesSurface.streamEncoder(PROMPT, IDENTITY).push({ type: 'start', id: null, model: null })).toBe('');
  const message = await readBySdk(write([], { reason: 'length' }));
  expect(message).toMatchObject({ model: 'asked', content: [], stop_reason: 'max_tokens' });
});

test('calls whose arguments interleave become blocks one after another', async () => {
  const sse = write([call(0), call(1), args(0, '{"a"'), args(1, '{"b"'), args(0, ':1}'), text('x'), args(1, ':2}'), text('y')], {
    reason: 'tool_calls',
  });
  expect((await readBySdk(sse)).content).toMatchObject([{ input: { a: 1 } }, { input: { b: 2 } }, { text: 'xy' }]);
});

test('a call is sent on as it comes, and the next one as soon as the first is whole', () => {
  const encoder = messagesSurface.streamEncoder(PROMPT, IDENTITY);
  expect(encoder.push(call(0))).toContain('content_block_start');
  expect(encoder.push(args(0, '{"a":1}'))).toContain('input_json_delta');
  expect(dataOf(encoder.push(call(1))).map(({ type }) => type)).toEqual(['content_block_stop', 'content_block_start']);
});

test('blocks never overlap and count up, whatever comes in whatever order', () => {
  const number = fc.nat(2);
  const event = fc.oneof(
    fc.constantFrom(
      text('t'),
      text(''),
      thought('h'),
      state({ signature: 's' }),
      state({ redacted: 'r' }),
      state({ origin: 'openai', signature: 'e' }),
    ),
    fc.record({ type: fc.constant('reasoning' as const), choice: fc.constant(0), block: number, text: fc.constant('h') }),
    number.map((which) => args(which, '{"a":1}')),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 12 }), (events) => {
      let open: number | null = null;
      let next = 0;
      for (const data of dataOf(write([call(0), call(1), call(2), ...events]))) {
        if (data.type === 'content_block_start') {
          expect([open, data.index]).toEqual([null, next++]);
          open = data.index;
        } else if (data.type === 'content_block_delta') expect(data.index).toBe(open);
        else if (data.type === 'content_block_stop') {
          expect(data.index).toBe(open);
          open = null;
        }
      }
      expect(open).toBeNull();
    }),
  );
});

test('what is written is read as it was, streamed and whole', () => {
  const word = fc.string({ minLength: 1, maxLength: 6 });
  const part = fc.oneof(
    word.map((value) => ({ type: 'text' as const, text: value })),
    fc
      .record({ text: word, signature: word.filter((value) => !value.startsWith('weir.')) })
      .map((fields) => ({ type: 'reasoning' as const, origin: 'anthropic' as const, redacted: null, id: null, ...fields })),
    fc
      .record({ id: word, name: word, a: fc.nat() })
      .map(({ id, name, a }) => ({ type: 'tool_call' as const, id, name, arguments: JSON.stringify({ a }) })),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), fc.constantFrom('stop', 'length', 'tool_calls', 'content_filter'), (parts, reason) => {
      const native = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use', content_filter: 'refusal' }[reason];
      const neighbors = parts.filter((one, at) => one.type !== 'text' || parts[at - 1]?.type !== 'text');
      const choice = { parts: neighbors, annotations: [], logprobs: null, finish: reason, native, stopSequence: null };
      const answer: Answer = { id: 'msg_abc', model: 'served', choices: [choice] };
      const whole = messagesSurface.encodeAnswer(answer, USAGE, IDENTITY, null, PROMPT);
      expect(fold(anthropicMessages.decodeAnswer(Buffer.from(whole), {}))).toEqual(answer);
      expect(readBack(write([{ type: 'start', id: null, model: 'served' }, ...eventsOf(answer)], { reason, native }))).toEqual(answer);
    }),
  );
});

describe('refusals', () => {
  const refused: ReplyEvent = { type: 'refusal', choice: 0, text: 'No.' };

  test("the provider's explanation stands beside the end", async () => {
    const sse = write([refused], { reason: 'content_filter', native: 'refusal' });
    expect(await readBySdk(sse)).toMatchObject({ content: [], stop_reason: 'refusal' });
    expect(dataOf(sse).at(-2).delta.stop_details).toEqual({ type: 'refusal', category: null, explanation: 'No.' });
  });

  test("the model's own refusal can be read as its text", async () =>
    expect(await readBySdk(write([refused]))).toMatchObject({ content: [{ type: 'text', text: 'No.' }], stop_reason: 'refusal' }));
});

test.each([
  [{ reason: 'stop', native: 'STOP' }, 'end_turn', null],
  [{ reason: 'stop', native: 'stop_sequence', stopSequence: 'END' }, 'stop_sequence', 'END'],
  [{ reason: 'stop', native: 'pause_turn' }, 'pause_turn', null],
  [{ reason: 'tool_calls', native: 'end_turn' }, 'tool_use', null],
  [{ reason: 'length', native: 'model_context_window_exceeded' }, 'model_context_window_exceeded', null],
  [{ reason: 'content_filter', native: 'SAFETY' }, 'refusal', null],
] as const)('an end %j is told as %s', (finish, stop_reason, stop_sequence) =>
  expect(dataOf(write([text('x')], finish)).at(-2).delta).toMatchObject({ stop_reason, stop_sequence }),
);

test("state of other vendors' models is sealed into thinking blocks, that of a call before it", () => {
  const content = dataOf(
    write([
      thought('Hm'),
      state({ origin: 'openai', id: 'rs_1' }),
      state({ origin: 'openai', signature: 'enc' }),
      call(0, { signature: 'g==' }),
      args(0, '{}'),
    ]),
  );
  const [signature, ofCall] = content.flatMap(({ delta }) => (delta?.type === 'signature_delta' ? [delta.signature] : []));
  expect(openState(signature)).toEqual({ origin: 'openai', signature: 'enc', redacted: null, id: 'rs_1', call: false });
  const before = content.filter(({ type }) => type === 'content_block_start').map(({ content_block: block }) => block);
  expect(before.map(({ type }) => type)).toEqual(['thinking', 'thinking', 'tool_use']);
  // Some clients read a signature from its delta only.
  expect(before[1]).toEqual({ type: 'thinking', thinking: '', signature: '' });
  expect(openState(ofCall)).toMatchObject({ origin: 'gemini', signature: 'g==', call: true });
});

test('other answers than the first have no place', () => expect(write([{ ...text('x'), choice: 1 } as ReplyEvent])).not.toContain('"x"'));

test('the cost stands in the last usage where it is known', () => {
  const encoder = messagesSurface.streamEncoder(PROMPT, IDENTITY);
  expect(dataOf(encoder.end({ finishes: [FINISH], usage: USAGE, usageRaw: null, costUsd: 0.5 })).at(-2).usage.cost).toBe(0.5);
});

test('a failure is the event of its name, which the official client throws', async () => {
  const encoder = messagesSurface.streamEncoder(PROMPT, IDENTITY);
  const sse = encoder.push(text('x')) + encoder.fail(new WeirError('upstream_interrupted'));
  await expect(readBySdk(sse)).rejects.toMatchObject({
    error: { type: 'error', error: { type: 'api_error', code: 'upstream_interrupted' } },
  });
});

function eventsOf(answer: Answer): ReplyEvent[] {
  let calls = 0;
  return answer.choices[0]!.parts.flatMap((part, block): ReplyEvent[] => {
    switch (part.type) {
      case 'text':
        return [text(part.text)];
      case 'reasoning':
        return [
          { type: 'reasoning', choice: 0, block, text: part.text },
          { type: 'reasoning_state', choice: 0, block, origin: 'anthropic', signature: part.signature, redacted: null, id: null },
        ];
      case 'tool_call':
        return [{ type: 'tool_call', choice: 0, call: calls, id: part.id, name: part.name }, args(calls++, part.arguments)];
      default:
        return [];
    }
  });
}
