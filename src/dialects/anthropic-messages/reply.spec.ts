import fc from 'fast-check';
import type { ReplyEvent } from '../canonical.js';
import { ProviderRefusal } from '../dialect.js';
import { fold } from '../kit/fold.js';
import { decodeAnswer, MessageReader } from './reply.js';

type Data = Record<string, unknown> & { type: string };

const start = (fields: object = {}): Data => ({
  type: 'message_start',
  message: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [],
    stop_reason: null,
    usage: { input_tokens: 9, output_tokens: 1 },
    ...fields,
  },
});
const begin = (index: number, content_block: object): Data => ({ type: 'content_block_start', index, content_block });
const delta = (index: number, delta: object): Data => ({ type: 'content_block_delta', index, delta });
const stop = (index: number): Data => ({ type: 'content_block_stop', index });
const end = (stop_reason: string, fields: object = {}): Data => ({
  type: 'message_delta',
  delta: { stop_reason, stop_sequence: null, ...fields },
  usage: { output_tokens: 5 },
});
const over: Data = { type: 'message_stop' };

function read(...events: Data[]): { events: ReplyEvent[]; reader: MessageReader } {
  const reader = new MessageReader();
  const out = events.flatMap((data) => reader.push({ event: data.type, data: JSON.stringify(data) }));
  return { events: [...out, ...reader.end()], reader };
}
const partsOf = (...events: Data[]) => fold(read(...events).events).choices[0]?.parts;

describe('stream', () => {
  test('calls are counted by calls, not by blocks', () => {
    const { events } = read(
      start(),
      begin(0, { type: 'text', text: '' }),
      delta(0, { type: 'text_delta', text: 'Hi' }),
      stop(0),
      begin(1, { type: 'tool_use', id: 'a', name: 'f', input: {} }),
      delta(1, { type: 'input_json_delta', partial_json: '{"x":' }),
      delta(1, { type: 'input_json_delta', partial_json: '1}' }),
      stop(1),
      begin(2, { type: 'tool_use', id: 'b', name: 'g', input: { y: 2 } }),
      stop(2),
      end('tool_use'),
      over,
    );
    expect(events.filter(({ type }) => type === 'tool_call')).toMatchObject([
      { call: 0, id: 'a' },
      { call: 1, id: 'b' },
    ]);
    expect(fold(events).choices[0]).toMatchObject({
      parts: [{ text: 'Hi' }, { arguments: '{"x":1}' }, { arguments: '{"y":2}' }],
      finish: 'tool_calls',
      native: 'tool_use',
    });
  });

  test('the input a call begins with is a placeholder: nothing of it is given before its pieces', () =>
    expect(
      partsOf(
        start(),
        begin(0, { type: 'tool_use', id: 'a', name: 'f', input: {} }),
        delta(0, { type: 'input_json_delta', partial_json: '' }),
        stop(0),
        end('tool_use'),
        over,
      ),
    ).toMatchObject([{ arguments: '{}' }]));

  test('thinking keeps its signature, also without text, and redacted thinking its data', () =>
    expect(
      partsOf(
        start(),
        begin(0, { type: 'thinking', thinking: '', signature: '' }),
        delta(0, { type: 'thinking_delta', thinking: 'Hm' }),
        delta(0, { type: 'signature_delta', signature: 's==' }),
        stop(0),
        begin(1, { type: 'thinking', thinking: '' }),
        delta(1, { type: 'signature_delta', signature: 't==' }),
        stop(1),
        begin(2, { type: 'redacted_thinking', data: 'd' }),
        stop(2),
        end('end_turn'),
        over,
      ),
    ).toMatchObject([
      { text: 'Hm', origin: 'anthropic', signature: 's==' },
      { text: '', signature: 't==' },
      { text: '', redacted: 'd' },
    ]));

  test('events, blocks and deltas of unknown kinds are metered only', () => {
    const { events, reader } = read(
      { type: 'ping' },
      start(),
      { type: 'news' },
      begin(0, { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }),
      delta(0, { type: 'input_json_delta', partial_json: '{"q":1}' }),
      stop(0),
      begin(1, { type: 'compaction', content: 'x' }),
      delta(1, { type: 'compaction_delta', content: 'x' }),
      stop(1),
      stop(9),
      end('end_turn'),
      over,
    );
    expect(events.map(({ type }) => type).filter((type) => type !== 'other')).toEqual(['start', 'usage', 'usage', 'finish']);
    expect(reader.complete).toBe(true);
  });

  test('a refusal without any content ends by the content filter, in the words of the provider', () =>
    expect(
      fold(read(start(), end('refusal', { stop_details: { type: 'refusal', explanation: 'No.' } }), over).events).choices[0],
    ).toMatchObject({
      parts: [{ type: 'refusal', text: 'No.' }],
      finish: 'content_filter',
      native: 'refusal',
    }));

  test('a beginning that comes twice is one; another message inside is an error', () => {
    expect(read(start(), start(), end('end_turn'), over).events.filter(({ type }) => type === 'start')).toHaveLength(1);
    expect(() => read(start(), start({ id: 'msg_2' }))).toThrow('second message');
  });

  test('usage is given so far, each replacing the one before, and is null where it is not sane', () => {
    const usages = read(start(), end('end_turn'), over).events.filter((event) => event.type === 'usage');
    expect(usages).toMatchObject([
      { usage: { input: 9, output: 1 } },
      { usage: { input: 9, output: 5 }, raw: { input_tokens: 9, output_tokens: 5 } },
    ]);
    const bad = read(start({ usage: { input_tokens: -4 } })).events;
    expect(bad).toContainEqual({ type: 'usage', usage: null, raw: { input_tokens: -4 }, final: false, replaces: true });
  });

  test('a stop reason ends the message even when the last event is missing; without one it is cut', () => {
    const accepted = read(start(), end('max_tokens'));
    expect([accepted.reader.complete, accepted.events.at(-1)]).toMatchObject([true, { type: 'finish', reason: 'length' }]);
    const cut = read(start(), begin(0, { type: 'text', text: '' }), delta(0, { type: 'text_delta', text: 'Hi' }), stop(0));
    expect([cut.reader.complete, cut.events.some(({ type }) => type === 'finish')]).toEqual([false, false]);
  });

  test('what follows the end is ignored', () =>
    expect(
      read(start(), end('end_turn'), over, begin(0, { type: 'text', text: 'x' }), over).events.filter(({ type }) => type !== 'usage'),
    ).toMatchObject([{ type: 'start' }, { type: 'finish' }]));

  test('an error inside is a refusal, whether first or amid', () => {
    const error: Data = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    for (const before of [[], [start()]]) {
      try {
        read(...before, error);
        throw new Error('not refused');
      } catch (thrown) {
        expect((thrown as ProviderRefusal).refusal).toEqual({ class: 'overloaded', message: 'Overloaded' });
      }
    }
  });

  test.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['pause_turn', 'stop'],
    ['compaction', 'stop'],
    ['something_new', 'stop'],
    ['tool_use', 'tool_calls'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['refusal', 'content_filter'],
  ])('%s is %s', (native, reason) => expect(read(start(), end(native), over).events.at(-1)).toMatchObject({ reason, native }));
});

describe('whole message', () => {
  test('a stream and the whole of the same message say the same', () => {
    const text = fc.string({ minLength: 1, maxLength: 8 });
    const block = fc.oneof(
      text.map((value) => ({ type: 'text', text: value })),
      fc.record({ thinking: text, signature: text }).map((fields) => ({ type: 'thinking', ...fields })),
      text.map((data) => ({ type: 'redacted_thinking', data })),
      fc
        .record({ id: text, name: text, input: fc.dictionary(text, fc.nat(), { maxKeys: 2 }) })
        .map((fields) => ({ type: 'tool_use', ...fields })),
    );
    fc.assert(
      fc.property(fc.array(block, { maxLength: 5 }), fc.constantFrom('end_turn', 'tool_use', 'refusal'), (content, stopReason) => {
        const message = {
          ...(start()['message'] as object),
          content,
          stop_reason: stopReason,
          usage: { input_tokens: 9, output_tokens: 5 },
        };
        const streamed = read(start(), ...content.flatMap((one, index) => streamOf(one, index)), end(stopReason), over).events;
        const whole = decodeAnswer(Buffer.from(JSON.stringify(message)));
        expect(fold(streamed)).toEqual(fold(whole));
        expect(streamed.findLast(({ type }) => type === 'usage')).toEqual(whole.findLast(({ type }) => type === 'usage'));
      }),
    );
  });

  test('citations of pages become annotations, others are dropped', () =>
    expect(
      fold(
        decodeAnswer(
          Buffer.from(
            JSON.stringify({
              content: [
                {
                  type: 'text',
                  text: 'x',
                  citations: [{ type: 'web_search_result_location', url: 'https://a.b', title: 'A' }, { type: 'char_location' }],
                },
              ],
              stop_reason: 'end_turn',
            }),
          ),
        ),
      ).choices[0]?.annotations,
    ).toEqual([{ url: 'https://a.b', title: 'A', start: null, end: null }]));

  test('an error under 200 is a refusal, and what is no message is an error', () => {
    expect(() => decodeAnswer(Buffer.from('{"type":"error","error":{"type":"api_error","message":"x"}}'))).toThrow(ProviderRefusal);
    expect(() => decodeAnswer(Buffer.from('{"ok":true}'))).toThrow('no message');
  });
});

function streamOf(block: Record<string, unknown>, index: number): Data[] {
  switch (block['type']) {
    case 'text':
      return [begin(index, { type: 'text', text: '' }), delta(index, { type: 'text_delta', text: block['text'] }), stop(index)];
    case 'thinking':
      return [
        begin(index, { type: 'thinking', thinking: '', signature: '' }),
        delta(index, { type: 'thinking_delta', thinking: block['thinking'] }),
        delta(index, { type: 'signature_delta', signature: block['signature'] }),
        stop(index),
      ];
    case 'tool_use': {
      const json = JSON.stringify(block['input']);
      const pieces = json === '{}' ? [''] : [json.slice(0, 3), json.slice(3)];
      return [
        begin(index, { ...block, input: {} }),
        ...pieces.map((partial_json) => delta(index, { type: 'input_json_delta', partial_json })),
        stop(index),
      ];
    }
    default:
      return [begin(index, block), stop(index)];
  }
}
