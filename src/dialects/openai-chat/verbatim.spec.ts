import { WeirError } from '../../kernel/errors.js';
import type { CallRequest, UpstreamParams } from '../dialect.js';
import type { Quirks } from '../quirks.js';
import { decodeRefusal } from './errors.js';
import { chatSurface, chatVerbatim } from './index.js';

const BODY = { model: 'p/m', messages: [{ role: 'user', content: 'Hi' }] };
const REWRITE: UpstreamParams = { model: 'm', maxOutputTokens: 100, thinkingLevel: null, quirks: { maxTokensField: 'max_tokens' } };
const decode = (fields: object): CallRequest => chatSurface.decodeRequest({ ...BODY, ...fields }, 64);
const send = (fields: object, rewrite: Partial<UpstreamParams> = {}) =>
  chatVerbatim.encodeRequest(decode(fields), { ...REWRITE, ...rewrite });
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

  test('the limit is written where the client wrote it, under the name that the server takes', () => {
    const keys = (body: object) => Object.keys(encode(body)).slice(2);
    expect(keys({ max_completion_tokens: 500, seed: 1 })).toEqual(['max_tokens', 'seed']);
    expect(keys({ max_tokens: 500, max_completion_tokens: 500 })).toEqual(['max_tokens']);
    expect(encode({ max_completion_tokens: 500 })).toMatchObject({ max_tokens: 100 });
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
  const think = (level: UpstreamParams['thinkingLevel'], quirks: Quirks, model = 'm', fields: object = {}) => {
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
    expect(() => chatVerbatim.readWhole!(Buffer.from(body))).toThrow('the reply has no choices');
  });

  test.each(['{"choices":[null]}', '{"choices":[{"message":1}]}'])('%s is not passed on as it is', (body) => {
    expect(JSON.parse(`${chatVerbatim.readWhole!(Buffer.from(body)).body}`)).toEqual({
      choices: [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'stop' }],
    });
  });
});
