import fc from 'fast-check';
import { WeirError } from '../../kernel/errors.js';
import type { Prompt } from '../dialect.js';
import { openaiChat } from './index.js';
import { readUsage } from './usage.js';

const BODY = { model: 'p/m', messages: [{ role: 'user', content: 'Hi' }] };
const REWRITE = { model: 'm', maxOutputTokens: 100, maxTokensField: 'max_tokens' as const };
const decode = (fields: object): Prompt => openaiChat.decodeRequest({ ...BODY, ...fields }, 64);
const encode = (fields: object) => JSON.parse(openaiChat.encodeRequest(decode(fields), REWRITE));

describe('request', () => {
  test('only the model, the output limit and the usage flag are changed; unknown fields and their order stay', () => {
    const body = { future: { a: [1] }, ...BODY, stream: true, stream_options: { include_obfuscation: false }, seed: 7 };
    const prompt = openaiChat.decodeRequest(body, 99);
    expect(openaiChat.encodeRequest(prompt, REWRITE)).toBe(
      JSON.stringify({ ...body, model: 'm', stream_options: { include_obfuscation: false, include_usage: true }, max_tokens: 100 }),
    );
  });

  test('the limit is written where the client wrote it', () => {
    expect(encode({ max_completion_tokens: 500 })).toMatchObject({ max_completion_tokens: 100 });
    expect(encode({ max_completion_tokens: 500 })).not.toHaveProperty('max_tokens');
    expect(encode({})).toMatchObject({ max_tokens: 100 });
  });

  test('encoding is byte-stable and leaves the prompt as it was', () => {
    const prompt = decode({ tools: [{ type: 'function', function: { name: 'f', parameters: {} } }] });
    const before = JSON.stringify(prompt);
    expect(openaiChat.encodeRequest(prompt, REWRITE)).toBe(openaiChat.encodeRequest(prompt, REWRITE));
    expect(JSON.stringify(prompt)).toBe(before);
  });

  test.each([
    ['messages', { messages: [] }],
    ['messages', { messages: 'hi' }],
    ['messages', { messages: [{ content: 'no role' }] }],
    ['max_tokens', { max_tokens: -1 }],
    ['max_tokens', { max_tokens: 1.5 }],
    ['max_tokens', { max_tokens: '100' }],
    ['max_tokens', { max_tokens: 2 ** 53 }],
    ['max_tokens', { max_tokens: Number.POSITIVE_INFINITY }],
    ['n', { n: 0 }],
    ['n', { n: 129 }],
    ['top_logprobs', { top_logprobs: 21 }],
    ['stream', { stream: 'yes' }],
    ['model', { model: 7 }],
    ['model', { model: 'a b' }],
    ['model', { model: 'a\u0000b' }],
    ['api_base', { api_base: 'https://example.com' }],
    ['base_url', { base_url: 'https://example.com' }],
  ])('a bad %s is refused, naming it', (param, fields) => {
    expect(() => decode(fields)).toThrow(WeirError);
    expect(() => decode(fields)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });
});

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
  const reader = openaiChat.streamReader(decode({ stream: true, stream_options: { include_usage: includeUsage } }), 10_000);
  const out = [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.finish()];
  return { reader, text: Buffer.concat(out).toString() };
}

describe('stream', () => {
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

  test('any cut before the finish is incomplete, and still tells what it saw', () => {
    const finishAt = STREAM.indexOf('"finish_reason":"stop"');
    for (let end = 0; end < finishAt; end++) {
      const reader = openaiChat.streamReader(decode({ stream: true }), 10_000);
      reader.push(STREAM.subarray(0, end));
      // A cut inside an event leaves half a JSON text, which is an error of its own.
      try {
        reader.finish();
      } catch {}
      expect(reader.complete).toBe(false);
      expect(reader.facts.usage).toBeNull();
    }
  });

  test('an error inside the stream is a refusal, not an answer', () => {
    const { reader, text } = read(true, [
      Buffer.from(event(CHUNKS[0]) + event({ error: { message: 'overloaded', code: 529 } }) + event('[DONE]')),
    ]);
    expect(reader.refusal).toEqual({ class: 'server', message: 'overloaded' });
    expect(reader.complete).toBe(false);
    expect(text).toBe(event(CHUNKS[0]));
  });

  test('words about usage and errors in the text change nothing', () => {
    const chunk = {
      ...CHUNKS[1],
      choices: [{ index: 0, delta: { content: '"usage":null "error":{"message":"x"} "finish_reason":"stop"' }, finish_reason: null }],
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
});

describe('usage', () => {
  test.each([
    [
      'cached tokens are part of the prompt',
      { prompt_tokens: 100, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 60 } },
      { input: 40, cacheRead: 60, output: 10 },
    ],
    [
      'cache writes are part of the prompt',
      { prompt_tokens: 100, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 30 } },
      { input: 10, cacheRead: 60, cacheWrite5m: 30 },
    ],
    [
      'overlapping cache counts never make input negative',
      { prompt_tokens: 2168, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 2161, cache_write_tokens: 2161 } },
      { input: 0, cacheRead: 2161, cacheWrite5m: 2161 },
    ],
    ['a larger total is hidden reasoning', { prompt_tokens: 35, completion_tokens: 12, total_tokens: 109 }, { input: 35, output: 74 }],
    [
      'reasoning is part of output',
      { prompt_tokens: 1, completion_tokens: 50, completion_tokens_details: { reasoning_tokens: 40 } },
      { output: 50, reasoning: 40 },
    ],
    [
      'the name DeepSeek gives cache reads',
      { prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 4 },
      { input: 6, cacheRead: 4 },
    ],
    ['the name Moonshot gives cache reads', { prompt_tokens: 10, completion_tokens: 1, cached_tokens: 4 }, { input: 6, cacheRead: 4 }],
  ])('%s', (_name, raw, expected) => expect(readUsage(raw)).toMatchObject(expected));

  test.each([
    null,
    undefined,
    7,
    {},
    { prompt_tokens: -1 },
    { prompt_tokens: 1.5 },
    { prompt_tokens: '12' },
    { prompt_tokens: 1e300 },
    { prompt_tokens: Number.NaN },
    { prompt_tokens: 1, completion_tokens: -5 },
  ])('%j is no usage to bill by', (raw) => expect(readUsage(raw)).toBeNull());

  test('classes are disjoint and never negative, whatever a provider says', () => {
    const count = fc.nat(1_000_000);
    fc.assert(
      fc.property(count, count, count, count, (prompt, cached, written, completion) => {
        const usage = readUsage({
          prompt_tokens: prompt,
          completion_tokens: completion,
          prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
        })!;
        expect(Math.min(usage.input, usage.cacheRead, usage.cacheWrite5m, usage.output)).toBeGreaterThanOrEqual(0);
        if (cached + written <= prompt) expect(usage.input + usage.cacheRead + usage.cacheWrite5m).toBe(prompt);
      }),
    );
  });
});

describe('refusal', () => {
  test.each([
    [401, { error: { message: 'bad key', code: 'invalid_api_key' } }, 'auth'],
    [429, { error: { message: 'slow down', type: 'rate_limit_error' } }, 'rate_limit'],
    [429, { error: { message: 'no money', code: 'insufficient_quota' } }, 'billing'],
    [402, {}, 'billing'],
    [404, { error: { code: 'model_not_found' } }, 'model_not_found'],
    [400, { error: { code: 'context_length_exceeded' } }, 'context_length'],
    [400, { error: { message: 'bad field' } }, 'bad_request'],
    [400, [{ error: { message: 'in an array' } }], 'bad_request'],
    [500, '<html>', 'server'],
    [504, '', 'timeout'],
  ])('%i %j is %s', (status, body, expected) => {
    expect(openaiChat.decodeRefusal(status, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))).class).toBe(expected);
  });
});
