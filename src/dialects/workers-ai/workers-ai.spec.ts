import * as given from '../../../test/support/conversations.js';
import type { Conversation, ReplyEvent } from '../canonical.js';
import { PLAIN_REPLY, ProviderRefusal, type UpstreamParams } from '../dialect.js';
import { fold } from '../kit/fold.js';
import { frameReader } from '../kit/frames.js';
import { ReplyFilter } from '../kit/reply-filter.js';
import { workersAi } from './index.js';

const { assistant, call, result, tool, user } = given;

const encode = (fields: Partial<Conversation>, model = '@cf/zai-org/glm-4.7-flash', rewrite: Partial<UpstreamParams> = {}) => {
  const request = workersAi.encodeRequest(given.conversation(fields), given.rewrite(model, rewrite));
  return { ...request, sent: JSON.parse(request.body) };
};

describe('request', () => {
  test('the model is in the path, its slashes as they are', () => {
    const { path, sent } = encode({});
    expect(path).toBe('/run/@cf/zai-org/glm-4.7-flash');
    expect(sent).toEqual({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4096 });
  });

  test.each(['@cf/../../x', '@cf//x', ''])('the model id "%s" would leave the path and is refused', (model) =>
    expect(() => encode({}, model)).toThrow('no model id'),
  );

  test('no content is null', () => {
    const turns = [user('Hi'), assistant(call('a', 'f')), result('a', '1')];
    expect(encode({ turns, tools: [tool('f')] }).sent.messages[1]).toMatchObject({ content: '', tool_calls: [{ id: 'a' }] });
  });

  test('a schema stands where chat has an object with its name', () => {
    const schema = { type: 'object', properties: {} };
    expect(encode({ format: { type: 'json_schema', name: 'x', description: null, schema, strict: true } }).sent.response_format).toEqual({
      type: 'json_schema',
      json_schema: schema,
    });
  });

  test('a choice of no tool sends none', () =>
    expect(encode({ tools: [tool('f')], toolChoice: { type: 'none' } }).sent).not.toHaveProperty('tools'));

  test('thinking is asked for of models that have it', () => {
    expect(encode({}, undefined, { thinkingLevel: 'low' })).toMatchObject({ sent: { reasoning_effort: 'low' }, thinkingLevel: 'low' });
    expect(encode({}, '@cf/meta/llama-3.1-8b-instruct', { thinkingLevel: 'low' }).sent).not.toHaveProperty('reasoning_effort');
  });
});

/** What a client gets of a whole reply. */
const whole = (reply: object) => seen(workersAi.decodeAnswer(Buffer.from(JSON.stringify(reply)), {}));

function read(sse: string, size = 1_000): { events: ReplyEvent[]; complete: boolean } {
  const decoder = workersAi.streamDecoder();
  const frames = frameReader('sse');
  const events: ReplyEvent[] = [];
  const bytes = Buffer.from(sse);
  for (let at = 0; at < bytes.length; at += size)
    frames.push(bytes.subarray(at, at + size), (frame) => events.push(...decoder.push(frame)));
  frames.finish((frame) => events.push(...decoder.push(frame)));
  return { events: [...events, ...decoder.end()], complete: decoder.complete };
}

function seen(events: ReplyEvent[]) {
  const filter = new ReplyFilter(PLAIN_REPLY, 'x');
  const [choice] = fold(events.flatMap((event) => filter.push(event))).choices;
  return { parts: choice?.parts, finish: choice?.finish, usage: events.findLast((event) => event.type === 'usage')?.usage ?? null };
}

const sse = (...values: (object | string)[]) =>
  values.map((value) => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`).join('');
const USAGE = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 };
const ZERO = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
const COUNTED = { input: 9, output: 4 };

describe('a whole reply', () => {
  test.each([
    ['a modern one', { choices: [{ index: 0, message: { content: 'Hi' }, finish_reason: 'stop' }], usage: USAGE }],
    ['a legacy one', { response: 'Hi', usage: USAGE }],
    ['one of both', { response: 'Hi', choices: [{ index: 0, message: { content: 'Hi' }, finish_reason: 'stop' }], usage: USAGE }],
    ['a legacy one with no calls', { response: 'Hi', tool_calls: [], usage: USAGE }],
  ])('%s is read, in its envelope and without', (_name, result) => {
    const expected = { parts: [{ type: 'text', text: 'Hi' }], finish: 'stop', usage: COUNTED };
    expect(whole({ success: true, errors: [], result })).toMatchObject(expected);
    expect(whole(result)).toMatchObject(expected);
  });

  test('legacy calls have no ids, and objects as arguments', () =>
    expect(
      whole({
        success: true,
        result: {
          response: null,
          tool_calls: [
            { name: 'f', arguments: { x: 1 } },
            { name: 'g', arguments: '' },
          ],
        },
      }),
    ).toMatchObject({
      parts: [
        { type: 'tool_call', id: expect.stringMatching(/./), name: 'f', arguments: '{"x":1}' },
        { type: 'tool_call', id: expect.stringMatching(/./), name: 'g', arguments: '{}' },
      ],
      finish: 'tool_calls',
    }));

  test('an answer to a schema comes as an object and leaves as text', () =>
    expect(whole({ success: true, result: { response: { city: 'Paris' } } }).parts).toEqual([{ type: 'text', text: '{"city":"Paris"}' }]));

  test('a failure with a status of success is a refusal', () =>
    expect(() => whole({ success: false, errors: [{ code: 3040, message: 'Capacity' }], result: null })).toThrow(ProviderRefusal));

  test('a result of no known shape is an error', () => expect(() => whole({ success: true, result: {} })).toThrow());
});

describe('a stream', () => {
  const piece = (delta: object, finish_reason: string | null = null) => ({
    id: 'x',
    model: 'm',
    choices: [{ index: 0, delta, finish_reason }],
  });
  const LEGACY = sse({ response: 'H', p: 'abc' }, { response: 1 }, { response: '' }, { response: '', usage: USAGE }, '[DONE]');
  const MODERN = sse(
    piece({ role: 'assistant', content: 'H' }),
    piece({ content: '1' }),
    piece({}, 'stop'),
    { choices: [], usage: USAGE },
    '[DONE]',
  );

  test.each([
    ['legacy', LEGACY],
    ['modern', MODERN],
    ['legacy without its last blank line', LEGACY.trimEnd()],
    ['modern with CRLF', MODERN.replaceAll('\n', '\r\n')],
  ])('%s says the same in pieces of any size', (_name, stream) => {
    for (const size of [1, 2, 3, 7, 16, 1_000]) {
      const { events, complete } = read(stream, size);
      expect(complete).toBe(true);
      expect(seen(events)).toMatchObject({ parts: [{ type: 'text', text: 'H1' }], finish: 'stop', usage: COUNTED });
    }
  });

  test('the usage that is all zero loses, whichever comes first', () => {
    const legacy = { response: '', usage: USAGE };
    const zero = { choices: [], usage: ZERO };
    for (const tail of [
      [zero, legacy],
      [legacy, zero],
    ])
      expect(seen(read(sse(piece({ content: 'H' }, 'stop'), ...tail, '[DONE]')).events).usage).toMatchObject(COUNTED);
  });

  test('a call may come without arguments at first', () => {
    const first = piece({ tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f' } }] });
    const { events } = read(
      sse(first, piece({ tool_calls: [{ index: 0, function: { arguments: '{"x":1}' } }] }), piece({}, 'stop'), '[DONE]'),
    );
    expect(seen(events)).toMatchObject({ parts: [{ type: 'tool_call', id: 'a', name: 'f', arguments: '{"x":1}' }], finish: 'tool_calls' });
  });

  test('a modern one needs its end, a legacy one may just stop', () => {
    expect(read(sse(piece({ content: 'H' }))).complete).toBe(false);
    expect(read(sse({ response: 'H' })).complete).toBe(true);
    expect(read('').complete).toBe(false);
  });

  test.each([{ success: false, errors: [{ code: 3040, message: 'Capacity' }] }, { error: { message: 'no' } }])(
    '%j ends it as a refusal',
    (failure) => expect(() => read(sse({ response: 'H' }, failure))).toThrow(ProviderRefusal),
  );
});

test.each([
  [400, 5004, 'bad_request'],
  [400, 5007, 'model_not_found'],
  [403, 5018, 'auth'],
  [404, 3042, 'model_not_found'],
  [408, 3007, 'timeout'],
  [413, 3006, 'too_large'],
  [429, 3036, 'billing'],
  [429, 3040, 'rate_limit'],
  [401, 10000, 'auth'],
  [500, 9999, 'server'],
])('%d with code %d is %s', (status, code, expected) =>
  expect(workersAi.decodeRefusal(status, Buffer.from(JSON.stringify({ success: false, errors: [{ code, message: 'no' }] })), {})).toEqual({
    class: expected,
    message: 'no',
  }),
);
