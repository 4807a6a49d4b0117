import fc from 'fast-check';
import type { ReplyEvent } from '../canonical.js';
import { ProviderRefusal } from '../dialect.js';
import { fold } from '../kit/fold.js';
import { gemini } from './index.js';

const whole = (reply: unknown): ReplyEvent[] => gemini.decodeAnswer(Buffer.from(JSON.stringify(reply)), {});
const candidate = (parts: unknown[], more: object = {}) => ({ candidates: [{ content: { role: 'model', parts }, ...more }] });
const ended = (parts: unknown[], finishReason = 'STOP') => candidate(parts, { finishReason });

function stream(...chunks: unknown[]) {
  const decoder = gemini.streamDecoder();
  const events = chunks.flatMap((chunk) => decoder.push({ event: null, data: JSON.stringify(chunk) }));
  return { events: [...events, ...decoder.end()], complete: decoder.complete };
}

const only = <Type extends ReplyEvent['type']>(events: ReplyEvent[], type: Type) =>
  events.filter((event): event is Extract<ReplyEvent, { type: Type }> => event.type === type);

describe('a reply', () => {
  test('begins with the id and the model that answered, once', () => {
    const { events } = stream({ ...candidate([{ text: 'a' }]), responseId: 'r', modelVersion: 'm' }, { ...ended([]), responseId: 'r' });
    expect(only(events, 'start')).toEqual([{ type: 'start', id: 'r', model: 'm' }]);
  });

  test('tells thoughts apart from the answer', () => {
    const answer = fold(whole(ended([{ text: 'hm', thought: true }, { text: 'yes' }])));
    expect(answer.choices[0]!.parts).toMatchObject([
      { type: 'reasoning', text: 'hm' },
      { type: 'text', text: 'yes' },
    ]);
  });

  test('keeps a signature that stands on an empty text', () => {
    const [state] = only(stream(candidate([{ text: 'a' }]), ended([{ text: '', thoughtSignature: 's' }])).events, 'reasoning_state');
    expect(state).toMatchObject({ origin: 'gemini', signature: 's' });
  });

  test('keeps the signature of a call with the call', () => {
    const [call] = only(whole(ended([{ functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 's' }])), 'tool_call');
    expect(call).toMatchObject({ call: 0, id: null, name: 'f', signature: 's' });
  });

  test('gives a call without arguments an empty object', () => {
    expect(only(whole(ended([{ functionCall: { name: 'f' } }])), 'arguments')).toEqual([
      { type: 'arguments', choice: 0, call: 0, text: '{}' },
    ]);
  });

  test('keeps several answers apart', () => {
    const { events, complete } = stream(
      {
        candidates: [
          { index: 0, content: { parts: [{ text: 'a' }] } },
          { index: 1, content: { parts: [{ text: 'b' }] } },
        ],
      },
      { candidates: [{ index: 1, finishReason: 'STOP' }] },
      { candidates: [{ index: 0, content: { parts: [{ text: 'c' }] }, finishReason: 'MAX_TOKENS' }] },
    );
    expect(complete).toBe(true);
    expect(fold(events).choices).toMatchObject([
      { parts: [{ text: 'ac' }], finish: 'length' },
      { parts: [{ text: 'b' }], finish: 'stop' },
    ]);
  });

  test('has images that the model made', () => {
    const [image] = only(whole(ended([{ inlineData: { mimeType: 'image/png', data: 'AAAA' } }])), 'image');
    expect(image).toEqual({ type: 'image', choice: 0, mediaType: 'image/png', data: 'AAAA' });
  });

  test('has log probabilities as OpenAI tells them', () => {
    const logprobsResult = {
      chosenCandidates: [{ token: 'é', logProbability: -0.5 }],
      topCandidates: [{ candidates: [{ token: 'é', logProbability: -0.5 }] }],
    };
    const [event] = only(whole(candidate([{ text: 'é' }], { finishReason: 'STOP', logprobsResult })), 'logprobs');
    const told = { token: 'é', logprob: -0.5, bytes: [195, 169] };
    expect(event!.content).toEqual([{ ...told, top_logprobs: [told] }]);
  });

  test('passes over parts that have no meaning here', () => {
    expect(fold(whole(ended([{ executableCode: { code: 'x' } }, { codeExecutionResult: {} }, { text: 'a' }]))).choices[0]!.parts).toEqual([
      { type: 'text', text: 'a' },
    ]);
  });

  test('that came as a list of chunks is read like a stream', () => {
    expect(fold(whole([candidate([{ text: 'a' }]), ended([{ text: 'b' }])])).choices[0]!.parts).toEqual([{ type: 'text', text: 'ab' }]);
  });

  test('without any answer cannot be read', () => {
    expect(() => whole({ usageMetadata: {} })).toThrow('no answer');
  });
});

describe('the end of an answer', () => {
  test.each([
    ['STOP', 'stop'],
    ['MAX_TOKENS', 'length'],
    ['SAFETY', 'content_filter'],
    ['RECITATION', 'content_filter'],
    ['MODEL_ARMOR', 'content_filter'],
    ['IMAGE_SAFETY', 'content_filter'],
    ['OTHER', 'stop'],
    ['LANGUAGE', 'content_filter'],
    ['IMAGE_RECITATION', 'content_filter'],
    ['IMAGE_OTHER', 'content_filter'],
    ['NO_IMAGE', 'error'],
    ['FINISH_REASON_UNSPECIFIED', 'stop'],
    ['A_NEW_ONE', 'stop'],
    ['MALFORMED_FUNCTION_CALL', 'error'],
    ['UNEXPECTED_TOOL_CALL', 'error'],
    ['MISSING_THOUGHT_SIGNATURE', 'error'],
  ])('%s is %s', (native, reason) => {
    expect(only(whole(ended([{ text: 'a' }], native)), 'finish')).toEqual([{ type: 'finish', choice: 0, reason, native }]);
  });

  test('is there for an answer without content', () => {
    const events = whole({ candidates: [{ finishReason: 'SAFETY', content: {}, finishMessage: 'no' }] });
    expect(only(events, 'finish')).toEqual([{ type: 'finish', choice: 0, reason: 'content_filter', native: 'SAFETY', message: 'no' }]);
  });

  test('is not taken back by a later chunk that gives no reason', () => {
    const { events } = stream(ended([{ text: 'a' }]), candidate([{ text: 'b' }]), candidate([], { finishReason: '' }));
    expect(only(events, 'finish')).toMatchObject([{ reason: 'stop' }]);
    expect(fold(events).choices[0]!.parts).toEqual([{ type: 'text', text: 'ab' }]);
  });

  test('of a refused prompt is one answer, filtered', () => {
    const { events, complete } = stream({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 9 } });
    expect(complete).toBe(true);
    expect(only(events, 'finish')).toMatchObject([{ choice: 0, reason: 'content_filter', native: 'SAFETY' }]);
    expect(only(events, 'usage')[0]!.usage).toMatchObject({ input: 9, output: 0 });
  });

  test('an empty reason blocks nothing', () => {
    expect(stream({ promptFeedback: { blockReason: '' } }).complete).toBe(false);
  });

  test('a call that the provider itself calls unexpected is not given out', () => {
    expect(only(whole(ended([{ functionCall: { name: 'ghost' } }], 'UNEXPECTED_TOOL_CALL')), 'tool_call')).toEqual([]);
  });

  test('that can be continued was cut by its length', () => {
    expect(only(whole({ ...ended([{ text: 'a' }]), continuationToken: 't' }), 'finish')).toMatchObject([{ reason: 'length' }]);
  });

  test('a stream cut before it is not complete, and has no end', () => {
    const { events, complete } = stream(candidate([{ text: 'a' }]), candidate([{ text: 'b' }]));
    expect(complete).toBe(false);
    expect(only(events, 'finish')).toEqual([]);
  });
});

describe('usage', () => {
  const usageOf = (...metadata: object[]) => {
    const { events } = stream(...metadata.map((usageMetadata) => ({ ...ended([]), usageMetadata })));
    return only(events, 'usage').at(-1)!;
  };

  test('counts thoughts beside the answer, and what tools put into the prompt beside it', () => {
    const { usage } = usageOf({ promptTokenCount: 55, toolUsePromptTokenCount: 89, candidatesTokenCount: 51, thoughtsTokenCount: 56 });
    expect(usage).toMatchObject({ input: 144, output: 107, reasoning: 56 });
  });

  test('takes cached tokens out of the prompt', () => {
    expect(usageOf({ promptTokenCount: 100, cachedContentTokenCount: 60 }).usage).toMatchObject({ input: 40, cacheRead: 60 });
  });

  test('is replaced by what a later chunk says, and kept where it says nothing', () => {
    const { usage, raw } = usageOf({ promptTokenCount: 9, thoughtsTokenCount: 5, candidatesTokenCount: 1 }, { candidatesTokenCount: 3 });
    expect(usage).toMatchObject({ input: 9, output: 8, reasoning: 5 });
    expect(raw).toEqual({ promptTokenCount: 9, thoughtsTokenCount: 5, candidatesTokenCount: 3 });
  });

  test.each([{ promptTokenCount: -1 }, { promptTokenCount: 'nine' }, { promptTokenCount: 1.5 }, { candidatesTokenCount: 3 }])(
    'that is not sane is none, and kept as it came: %j',
    (metadata) => {
      expect(usageOf(metadata)).toMatchObject({ usage: null, raw: metadata });
    },
  );
});

describe('a failure', () => {
  const body = (error: object) => Buffer.from(JSON.stringify({ error }));
  const detail = (more: object) => ({ details: [{ '@type': 'type.googleapis.com/google.rpc.Something', ...more }] });

  test('inside a stream is a refusal, by its own code', () => {
    const decoder = gemini.streamDecoder();
    const push = () =>
      decoder.push({ event: null, data: JSON.stringify({ error: { code: 503, message: 'busy', status: 'UNAVAILABLE' } }) });
    expect(push).toThrow(new ProviderRefusal({ class: 'server', message: 'busy' }));
    expect(decoder.complete).toBe(false);
  });

  test.each([
    [400, { status: 'INVALID_ARGUMENT', ...detail({ reason: 'API_KEY_INVALID' }) }, 'auth'],
    [403, { status: 'PERMISSION_DENIED' }, 'auth'],
    [403, { status: 'PERMISSION_DENIED', ...detail({ reason: 'BILLING_DISABLED' }) }, 'billing'],
    [404, { status: 'NOT_FOUND' }, 'model_not_found'],
    [429, { status: 'RESOURCE_EXHAUSTED' }, 'rate_limit'],
    [
      400,
      { status: 'INVALID_ARGUMENT', message: 'The input token count (9) exceeds the maximum number of tokens allowed (8).' },
      'context_length',
    ],
    [400, { status: 'INVALID_ARGUMENT', message: 'no' }, 'bad_request'],
    [504, { status: 'DEADLINE_EXCEEDED' }, 'timeout'],
    [500, { status: 'INTERNAL' }, 'server'],
  ])('of status %d with %j is of class %s', (status, error, kind) => {
    expect(gemini.decodeRefusal(status, body(error), {}).class).toBe(kind);
  });

  test('says when to try again', () => {
    expect(
      gemini.decodeRefusal(429, body({ status: 'RESOURCE_EXHAUSTED', ...detail({ retryDelay: '34.4s' }) }), {}).retryAfterSeconds,
    ).toBe(35);
  });

  test('may come in a list of one', () => {
    expect(gemini.decodeRefusal(404, Buffer.from('[{"error":{"message":"gone"}}]'), {})).toEqual({
      class: 'model_not_found',
      message: 'gone',
    });
  });

  test('is read whatever the body is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 400, max: 599 }), fc.oneof(fc.string(), fc.json()), (status, text) => {
        expect(gemini.decodeRefusal(status, Buffer.from(text), {}).class).toEqual(expect.any(String));
      }),
    );
  });
});

test('a stream folds to what the same answer is as a whole, wherever it is cut into chunks', () => {
  const part = fc.oneof(
    fc.record({ text: fc.string() }),
    fc.record({ text: fc.string(), thought: fc.constant(true) }),
    fc.record({ text: fc.constant(''), thoughtSignature: fc.string({ minLength: 1 }) }),
    fc.record({ functionCall: fc.record({ name: fc.string(), args: fc.dictionary(fc.string(), fc.jsonValue()) }) }),
  );
  fc.assert(
    fc.property(fc.array(fc.array(part)), (chunks) => {
      const { events, complete } = stream(...chunks.map((parts) => candidate(parts)), ended([]));
      expect(complete).toBe(true);
      expect(fold(events)).toEqual(fold(whole(ended(chunks.flat()))));
    }),
  );
});
