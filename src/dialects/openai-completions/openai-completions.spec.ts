import { WeirError } from '../../kernel/errors.js';
import { atOnce } from '../../kernel/slices.js';
import { NO_USAGE, type Usage } from '../../kernel/usage.js';
import type { UpstreamParams } from '../dialect.js';
import { fold } from '../kit/fold.js';
import { framesOf } from '../kit/frames.js';
import { chatSurface } from '../openai-chat/index.js';
import { completionsSurface, completionsVerbatim, openaiCompletions } from './index.js';

const REWRITE: UpstreamParams = { model: 'm', maxOutputTokens: 100, thinkingLevel: null, quirks: {} };
const USAGE: Usage = { ...NO_USAGE, input: 5, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 2, reasoning: null };
const IDENTITY = { id: 'x1', createdAt: 5, model: 'p/m' };
const prompt = (fields: object) => completionsSurface.decodeRequest({ model: 'p/m', prompt: 'Once', ...fields }, 32);
const decode = (fields: object) => completionsSurface.decodeConversation(prompt(fields));

describe('requests', () => {
  test.each([
    [{ prompt: ['a', 'b'], n: 3 }, 6],
    [{ prompt: [1, 2, 3] }, 1],
    [{ prompt: [[1, 2], [3]] }, 2],
    [{ n: 2, best_of: 5 }, 5],
  ])('%j makes so many answers', (fields, choices) => expect(prompt(fields).choices).toBe(choices));

  test.each([
    ['prompt', { prompt: [] }],
    ['prompt', { prompt: ['a', 1] }],
    ['prompt', { prompt: { a: 1 } }],
    ['best_of', { best_of: 0 }],
    ['max_tokens', { max_tokens: 0 }],
  ])('a bad %s is refused', (param, fields) =>
    expect(() => prompt(fields)).toThrow(expect.objectContaining({ code: 'invalid_request', param })),
  );

  test('one prompt becomes one turn of the user', () => {
    const turns = [{ role: 'user', parts: [{ type: 'text', text: 'Once' }] }];
    expect(decode({}).turns).toEqual(turns);
    expect(decode({ prompt: ['Once'] }).turns).toEqual(turns);
  });

  test.each([
    ['prompt', { prompt: ['a', 'b'] }],
    ['prompt', { prompt: [1, 2] }],
    ['echo', { echo: true }],
    ['suffix', { suffix: 'x' }],
    ['best_of', { best_of: 2 }],
    ['logprobs', { logprobs: 1 }],
  ])('%s is refused where it has to be translated, and passes verbatim', (param, fields) => {
    expect(() => decode(fields)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
    expect(JSON.parse(completionsVerbatim.encodeRequest(prompt(fields), REWRITE).body)).toMatchObject({
      ...fields,
      model: 'm',
      max_tokens: 100,
    });
  });
});

describe('instruct models', () => {
  const encode = (body: object) =>
    openaiCompletions.encodeRequest(chatSurface.decodeConversation(chatSurface.decodeRequest(body, 9)), REWRITE);
  const sent = (body: object) => JSON.parse(encode(body).body);

  test('a question alone is the prompt', () =>
    expect(sent({ messages: [{ role: 'user', content: 'Hi' }], stream: true })).toEqual({
      model: 'm',
      prompt: 'Hi',
      max_tokens: 100,
      stream: true,
      stream_options: { include_usage: true },
    }));

  test('a conversation is written out, and the model stops before the next question', () =>
    expect(
      sent({
        stop: 'x',
        messages: [
          { role: 'system', content: 'Be kind.' },
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: 'Ho' },
          { role: 'user', content: 'So?' },
        ],
      }),
    ).toMatchObject({ prompt: 'Be kind.\n\nUser: Hi\n\nAssistant: Ho\n\nUser: So?\n\nAssistant:', stop: ['x', '\nUser:'] }));

  test('tools are prompted', () => {
    const { body, reply } = encode({ messages: [{ role: 'user', content: 'Hi' }], tools: [{ type: 'function', function: { name: 'f' } }] });
    expect(reply.promptedTools).toBe(true);
    expect(JSON.parse(body).prompt).toContain('<tool_call>');
  });

  test('images and structured output are refused', () => {
    const image = { type: 'image_url', image_url: { url: 'https://a/b.png' } };
    for (const fields of [
      { messages: [{ role: 'user', content: [image] }] },
      { messages: [{ role: 'user', content: 'x' }], response_format: { type: 'json_object' } },
    ])
      expect(() => sent(fields)).toThrow(WeirError);
  });
});

describe('replies', () => {
  test('a stream that is written is read again as the same answer', () => {
    const encoder = completionsSurface.streamEncoder(prompt({ stream: true, stream_options: { include_usage: true } }), IDENTITY);
    const finish = { type: 'finish', choice: 0, reason: 'length', native: null } as const;
    const written =
      encoder.push({ type: 'start', id: null, model: 'served' }) +
      encoder.push({ type: 'reasoning', choice: 0, block: 0, text: 'hidden' }) +
      encoder.push({ type: 'text', choice: 0, text: 'there' }) +
      encoder.end({ finishes: [finish], usage: USAGE, usageRaw: null, costUsd: null });
    expect(written.endsWith('data: [DONE]\n\n')).toBe(true);
    const decoder = openaiCompletions.streamDecoder();
    const events = framesOf('sse', Buffer.from(written)).flatMap((frame) => decoder.push(frame));
    expect(fold([...events, ...decoder.end()])).toMatchObject({
      id: 'cmpl-x1',
      model: 'served',
      choices: [{ parts: [{ text: 'there' }], finish: 'length' }],
    });
    expect(events.findLast(({ type }) => type === 'usage')).toMatchObject({ usage: USAGE });
  });

  test('a whole answer is read again as the same answer', () => {
    const answer = fold([
      { type: 'text', choice: 0, text: 'there' },
      { type: 'finish', choice: 0, reason: 'stop', native: null },
    ]);
    const whole = Buffer.from(completionsSurface.encodeAnswer(answer, USAGE, IDENTITY, null, prompt({})));
    expect(fold(openaiCompletions.decodeAnswer(whole, {})).choices[0]!.parts).toEqual([{ type: 'text', text: 'there' }]);
    expect(completionsVerbatim.readWhole!(whole)).toMatchObject({ usage: USAGE, finishReason: 'stop', outputBytes: 5 });
  });

  test('a stream that passes verbatim is metered, and cut at its limit in its own form', () => {
    const reader = completionsVerbatim.streamReader!(prompt({ stream: true }), 1);
    const chunk = { id: 'c', model: 'm', choices: [{ text: 'there', index: 0, finish_reason: null }] };
    atOnce(reader.push(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`.repeat(2))));
    expect([reader.overLimit, reader.facts.outputPieces]).toEqual([true, 2]);
    expect(reader.tail(USAGE, null).toString()).toContain('"choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"length"}]');
  });
});
