import type { ReplyEvent } from '../canonical.js';
import type { ProviderRefusal } from '../dialect.js';
import { fold } from '../kit/fold.js';
import { bedrockConverse } from './index.js';

const whole = (content: object[], rest: object = {}): ReplyEvent[] =>
  bedrockConverse.decodeAnswer(Buffer.from(JSON.stringify({ output: { message: { content } }, stopReason: 'end_turn', ...rest })), {});

function stream(...frames: [string, object][]): { events: ReplyEvent[]; complete: boolean } {
  const decoder = bedrockConverse.streamDecoder();
  const events = frames.flatMap(([event, data]) => decoder.push({ event, data: JSON.stringify(data) }));
  return { events: [...events, ...decoder.end()], complete: decoder.complete };
}

const delta = (contentBlockIndex: number, value: object): [string, object] => ['contentBlockDelta', { contentBlockIndex, delta: value }];
const START: [string, object] = ['messageStart', { role: 'assistant', p: 'abc' }];
const STOP: [string, object] = ['messageStop', { stopReason: 'tool_use' }];
const usageOf = (events: ReplyEvent[]) => events.find((event) => event.type === 'usage')?.usage;

test('a stream and a whole of the same answer say the same', () => {
  const { events } = stream(
    START,
    delta(0, { reasoningContent: { text: 'h' } }),
    delta(0, { reasoningContent: { text: 'm' } }),
    delta(0, { reasoningContent: { signature: 'sig' } }),
    delta(1, { reasoningContent: { redactedContent: 'RXU4RQ==' } }),
    delta(2, { text: '' }),
    delta(2, { text: 'Look' }),
    ['contentBlockStart', { contentBlockIndex: 3, start: { toolUse: { toolUseId: 'a', name: 'f', type: 'tool_use' } } }],
    delta(3, { toolUse: { input: '{"x"' } }),
    ['contentBlockStart', { contentBlockIndex: 4, start: { toolUse: { toolUseId: 'b', name: 'g' } } }],
    delta(4, { toolUse: { input: '{}' } }),
    delta(3, { toolUse: { input: ':1}' } }),
    STOP,
  );
  const content = [
    { reasoningContent: { reasoningText: { text: 'hm', signature: 'sig' } } },
    { reasoningContent: { redactedContent: 'RXU4RQ==' } },
    { text: 'Look' },
    { toolUse: { toolUseId: 'a', name: 'f', input: { x: 1 } } },
    { toolUse: { toolUseId: 'b', name: 'g', input: {} } },
  ];
  expect(fold(events)).toEqual(fold(whole(content, { stopReason: 'tool_use' })));
  expect(fold(events).choices[0]?.parts[1]).toMatchObject({ redacted: 'Eu8E' });
});

test('the finish waits for the usage, which follows the stop', () => {
  const decoder = bedrockConverse.streamDecoder();
  expect(decoder.push({ event: 'messageStop', data: '{"stopReason":"end_turn"}' })).toEqual([]);
  const events = decoder.push({ event: 'metadata', data: '{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}' });
  expect(events.map(({ type }) => type)).toEqual(['usage', 'finish']);
  expect(decoder.end()).toEqual([]);
});

test('a stop without usage is complete, usage without a stop is not', () => {
  expect(stream(START, STOP)).toMatchObject({ complete: true });
  const cut = stream(START, delta(0, { text: 'x' }), ['metadata', { usage: { inputTokens: 1, outputTokens: 1 } }]);
  expect(cut.complete).toBe(false);
  expect(cut.events.some(({ type }) => type === 'finish')).toBe(false);
});

test('events and blocks that are not known are passed over', () =>
  expect(stream(START, ['novelty', {}], delta(0, { novelty: 1 }), STOP).events.map(({ type }) => type)).toEqual(['start', 'finish']));

test.each([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['tool_use', 'tool_calls'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['guardrail_intervened', 'content_filter'],
  ['content_filtered', 'content_filter'],
  ['malformed_tool_use', 'error'],
  ['malformed_model_output', 'error'],
])('%s is %s', (native, reason) => expect(whole([], { stopReason: native }).at(-1)).toMatchObject({ type: 'finish', reason, native }));

test('the stop sequence is told, wherever Claude puts it', () => {
  for (const fields of [{ stop_sequence: 'END' }, { delta: { stop_sequence: 'END' } }])
    expect(whole([], { additionalModelResponseFields: fields }).at(-1)).toMatchObject({ stopSequence: 'END' });
});

describe('usage', () => {
  test.each([
    [
      'cache counts come once and beside the input',
      { inputTokens: 3, outputTokens: 5, cacheReadInputTokens: 7, cacheReadInputTokenCount: 7, cacheWriteInputTokens: 11, totalTokens: 26 },
      { input: 3, cacheRead: 7, cacheWrite5m: 11, cacheWrite1h: 0, output: 5 },
    ],
    [
      'what is written for an hour is told apart',
      {
        inputTokens: 3,
        outputTokens: 5,
        cacheWriteInputTokens: 11,
        cacheDetails: [
          { inputTokens: 4, ttl: '1h' },
          { inputTokens: 7, ttl: '5m' },
        ],
      },
      { cacheWrite5m: 7, cacheWrite1h: 4 },
    ],
    [
      'an input that holds the cache is given away by the total',
      { inputTokens: 4995, outputTokens: 5, cacheWriteInputTokens: 4993, totalTokens: 5000 },
      { input: 2, cacheWrite5m: 4993 },
    ],
  ])('%s', (_name, usage, expected) => expect(usageOf(whole([], { usage }))).toMatchObject(expected));

  test.each([{ inputTokens: -1 }, { inputTokens: 1.5 }, { inputTokens: 'three' }, { outputTokens: 4 }])(
    '%j is not believed, and kept',
    (usage) =>
      expect(whole([], { usage }).find(({ type }) => type === 'usage')).toEqual({ type: 'usage', usage: null, raw: usage, final: true }),
  );
});

describe('refusals', () => {
  const classOf = (status: number, type: string | undefined, message = '') =>
    bedrockConverse.decodeRefusal(status, Buffer.from(JSON.stringify({ message })), type === undefined ? {} : { 'x-amzn-errortype': type })
      .class;

  test.each([
    [429, 'ThrottlingException:http://internal.amazon.com/coral/', '', 'rate_limit'],
    [400, 'ServiceQuotaExceededException', '', 'rate_limit'],
    [429, 'ModelNotReadyException', '', 'rate_limit'],
    [403, 'AccessDeniedException', '', 'auth'],
    [400, 'UnrecognizedClientException', '', 'auth'],
    [404, 'ResourceNotFoundException', '', 'model_not_found'],
    [408, 'ModelTimeoutException', '', 'timeout'],
    [424, 'ModelErrorException', '', 'server'],
    [424, undefined, '', 'server'],
    [503, 'ServiceUnavailableException', '', 'server'],
    [400, 'ValidationException', 'Input is too long for requested model.', 'context_length'],
    [400, 'ValidationException', 'The provided model identifier is invalid.', 'model_not_found'],
    [400, 'ValidationException', 'tool_choice is not supported', 'bad_request'],
    [500, undefined, '', 'server'],
  ])('%d %s %s is %s', (status, type, message, expected) => expect(classOf(status, type, message)).toBe(expected));

  test('a body that is no JSON is no failure of ours', () =>
    expect(bedrockConverse.decodeRefusal(502, Buffer.from('<html>'), {})).toEqual({ class: 'server', message: null }));

  test.each([
    ['exception:throttlingException', 'rate_limit'],
    ['exception:validationException', 'bad_request'],
    ['exception:modelStreamErrorException', 'server'],
    ['error:InternalError', 'server'],
  ])('%s within a stream is %s', (event, expected) => {
    const decoder = bedrockConverse.streamDecoder();
    decoder.push({ event: 'messageStop', data: '{"stopReason":"end_turn"}' });
    try {
      decoder.push({ event, data: '{"message":"no"}' });
      throw new Error('nothing was thrown');
    } catch (error) {
      expect((error as ProviderRefusal).refusal).toEqual({ class: expected, message: 'no' });
    }
  });
});
