import fc from 'fast-check';
import { WeirError } from '../../kernel/errors.js';
import type { Prompt, Rewrite } from '../dialect.js';
import type { Quirks } from '../quirks.js';
import { decodeRefusal } from './errors.js';
import { chatSurface, chatVerbatim } from './index.js';
import { ChatStreamReader } from './stream.js';
import { readUsage } from './usage.js';

const BODY = { model: 'p/m', messages: [{ role: 'user', content: 'Hi' }] };
const REWRITE: Rewrite = { model: 'm', maxOutputTokens: 100, thinkingLevel: null, quirks: { maxTokensField: 'max_tokens' } };
const decode = (fields: object): Prompt => chatSurface.decodeRequest({ ...BODY, ...fields }, 64);
const send = (fields: object, rewrite: Partial<Rewrite> = {}) => chatVerbatim.encodeRequest(decode(fields), { ...REWRITE, ...rewrite });
const encode = (fields: object, quirks: Quirks = REWRITE.quirks) => JSON.parse(send(fields, { quirks }).body);
const forModel = (model: string, fields: object) => JSON.parse(send(fields, { model, quirks: {} }).body);

describe('request', () => {
  test('only the model, the output limit and the usage flag are changed; unknown fields and their order stay', () => {
    const body = { future: { a: [1] }, ...BODY, stream: true, stream_options: { include_obfuscation: false }, seed: 7 };
    const prompt = chatSurface.decodeRequest(body, 99);
    expect(chatVerbatim.encodeRequest(prompt, REWRITE).body).toBe(
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
    expect(chatVerbatim.encodeRequest(prompt, REWRITE).body).toBe(chatVerbatim.encodeRequest(prompt, REWRITE).body);
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
  const reader = new ChatStreamReader(decode({ stream: true, stream_options: { include_usage: includeUsage } }), 10_000);
  const out = [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.finish()];
  return { reader, text: Buffer.concat(out).toString() };
}

describe('what a provider or a model does not take', () => {
  const TALK = {
    messages: [
      { role: 'developer', content: [{ type: 'text', text: 'a' }] },
      { role: 'system', content: 'b' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'c' },
          { type: 'text', text: 'd' },
        ],
      },
      {
        role: 'assistant',
        content: null,
        reasoning_content: 'r',
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'e' },
      { role: 'system', content: 'late' },
    ],
  };
  const messages = (quirks: Quirks) => encode(TALK, quirks).messages;

  test('nothing is touched for a provider without quirks', () => expect(messages({})).toEqual(TALK.messages));

  test('`developer` becomes `system`', () =>
    expect(messages({ developerRole: false })[0]).toEqual({ ...TALK.messages[0], role: 'system' }));

  test('the instructions at the start become one; a later one stays in its place', () => {
    const fitted = messages({ developerRole: false, singleSystem: true });
    expect(fitted[0]).toEqual({ role: 'system', content: 'a\n\nb' });
    expect(fitted.at(-1)).toEqual({ role: 'user', content: '<system>\nlate\n</system>' });
    expect(fitted).toHaveLength(5);
  });

  test('parts that are all text become one, where parts are not known', () =>
    expect(messages({ textContent: true })[2]).toEqual({ role: 'user', content: 'c\n\nd' }));

  test('no null stands beside tool calls, where it is refused', () => expect(messages({ nullContent: true })[3].content).toBe(''));

  test('reasoning is not sent back where it must not be', () =>
    expect(messages({ reasoningBack: 'never' })[3]).not.toHaveProperty('reasoning_content'));

  test('turns with tool calls carry reasoning where they must, even empty', () => {
    expect(messages({ reasoningBack: 'always' })[3].reasoning_content).toBe('r');
    const bare = { messages: [{ ...TALK.messages[3], reasoning_content: undefined }] };
    expect(encode(bare, { reasoningBack: 'always' }).messages[0].reasoning_content).toBe('');
  });

  test('ids of calls are hashed to nine characters, alike for call and result', () => {
    const fitted = messages({ toolCallIds: 'nine-alphanumerics' });
    expect(fitted[3].tool_calls[0].id).toMatch(/^[a-zA-Z0-9]{9}$/);
    expect(fitted[4].tool_call_id).toBe(fitted[3].tool_calls[0].id);
  });

  test('stream options are left out where they are refused', () =>
    expect(encode({ stream: true, stream_options: { include_usage: true } }, { streamOptions: false })).not.toHaveProperty(
      'stream_options',
    ));

  test('OpenAI reasoning models get the limit under the name they take, in its place, and no sampling', () => {
    const body = forModel('gpt-5', { max_tokens: 500, temperature: 0.5, seed: 1 });
    expect(Object.keys(body)).toEqual(['model', 'messages', 'max_completion_tokens', 'seed']);
    expect(send({ temperature: 0.5 }, { model: 'gpt-5' }).warnings).toEqual([
      '"temperature" is not supported by this model and was left out.',
    ]);
    expect(send({ temperature: 1 }, { model: 'gpt-5' }).warnings).toEqual([]);
    expect(forModel('gpt-4o', { max_tokens: 500, temperature: 0.5 })).toMatchObject({ max_tokens: 100, temperature: 0.5 });
  });

  test('stop sequences that a model refuses are refused here', () => {
    expect(() => forModel('gpt-6-sol', { stop: ['x'] })).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'stop' }));
    expect(() => forModel('gpt-4o', { stop: ['1', '2', '3', '4', '5'] })).toThrow(expect.objectContaining({ param: 'stop' }));
  });

  test("a provider's own words for tools", () => {
    const tools = {
      tools: [
        { type: 'function', function: { name: 'f', strict: true } },
        { type: 'function', function: { name: 'g' } },
      ],
    };
    expect(encode({ ...tools, tool_choice: 'required' }, { requiredToolChoice: 'any' }).tool_choice).toBe('any');
    expect(encode(tools, { strictTools: false }).tools[0].function).toEqual({ name: 'f' });
    const named = { ...tools, tool_choice: { type: 'function', function: { name: 'g' } } };
    expect(encode(named, { requiredToolChoice: null })).toMatchObject({ tool_choice: 'auto', tools: [{ function: { name: 'g' } }] });
  });

  test('a schema becomes an instruction where only JSON is known', () => {
    const body = encode(
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } } },
      { jsonSchema: false },
    );
    expect(body.response_format).toEqual({ type: 'json_object' });
    expect(body.messages[0]).toMatchObject({ role: 'system', content: expect.stringContaining('{"type":"object"}') });
  });
});

describe('thinking', () => {
  const think = (level: Rewrite['thinkingLevel'], quirks: Quirks, model = 'm', fields: object = {}) => {
    const { body, thinkingLevel } = send(fields, { model, quirks, thinkingLevel: level });
    const { model: _model, messages: _messages, max_completion_tokens: _limit, max_tokens: _same, ...rest } = JSON.parse(body);
    return [rest, thinkingLevel];
  };

  test.each([
    ['effort', 'gpt-5', 'off', { reasoning_effort: 'minimal' }, 'minimal'],
    ['effort', 'gpt-5.2', 'off', { reasoning_effort: 'none' }, 'off'],
    ['effort', 'gpt-4o', 'high', {}, null],
    ['deepseek', 'deepseek-v4', 'off', { thinking: { type: 'disabled' } }, 'off'],
    ['deepseek', 'deepseek-v4', 'low', { thinking: { type: 'enabled' }, reasoning_effort: 'high' }, 'high'],
    ['deepseek', 'deepseek-v4', 'xhigh', { thinking: { type: 'enabled' }, reasoning_effort: 'max' }, 'max'],
    ['openrouter', 'anthropic/claude-opus-5', 'medium', { reasoning: { effort: 'medium' } }, 'medium'],
    ['openrouter', 'anthropic/claude-opus-5', 'off', { reasoning: { enabled: false } }, 'off'],
    ['groq', 'openai/gpt-oss-120b', 'off', { reasoning_effort: 'low' }, 'low'],
    ['groq', 'qwen/qwen3-32b', 'off', { reasoning_effort: 'none' }, 'off'],
    ['groq', 'llama-3.3-70b', 'high', {}, null],
    ['none', 'grok-4', 'high', {}, null],
  ] as const)('%s, %s: %s', (thinking, model, level, fields, applied) =>
    expect(think(level, { thinking }, model)).toEqual([fields, applied]),
  );

  test("the client's own field beats the setting, and stays as it is", () =>
    expect(think('high', {}, 'gpt-5', { reasoning_effort: 'low' })).toEqual([{ reasoning_effort: 'low' }, 'low']));

  test('nothing asked for, nothing sent', () => expect(think(null, {}, 'gpt-5')).toEqual([{}, null]));
});

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
    expect(reader.refusal).toEqual({ class: 'server', message: 'overloaded' });
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
      const { reader, text } = read(true, [Buffer.from(event(last))]);
      expect(reader.facts.usage).toMatchObject({ input: 9, output: 3 });
      expect(text).toBe(event(last));
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
    expect(decodeRefusal(status, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))).class).toBe(expected);
  });
});

describe('what is no completion', () => {
  test.each(['null', '1', '[]', '{"choices":null}'])('%s is an answer that cannot be read', (body) => {
    expect(() => chatVerbatim.readFacts!(Buffer.from(body))).toThrow('the reply has no choices');
  });

  test.each(['{"choices":[null]}', '{"choices":[{"message":1}]}'])('%s is not passed on as it is', (body) => {
    expect(chatVerbatim.readFacts!(Buffer.from(body))).toBeNull();
  });

  test.each(['null', '[]', '"usage"', '["content",{"error":1}]'])('a chunk that is %s ends the stream with an error', (data) => {
    const prompt = chatSurface.decodeRequest({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], stream: true }, 1);
    const reader = chatVerbatim.streamReader!(prompt, 100);
    expect(() => reader.push(Buffer.from(`data: ${data}\n\n`))).toThrow('a chunk that is no object');
  });
});
