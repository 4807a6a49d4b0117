import fc from 'fast-check';
import { WeirError } from '../../../kernel/errors.js';
import { NO_USAGE, type Usage } from '../../../kernel/usage.js';
import type { Conversation, ReplyEvent } from '../../canonical.js';
import type { ReplyIdentity } from '../../dialect.js';
import { fold } from '../../kit/fold.js';
import { framesOf } from '../../kit/frames.js';
import { chatSurface, openaiChat } from '../index.js';

const USER = { role: 'user', content: 'Hi' };
const IDENTITY: ReplyIdentity = { id: 'x1', createdAt: 5, model: 'p/m' };
const USAGE: Usage = { ...NO_USAGE, input: 10, cacheRead: 20, cacheWrite5m: 3, cacheWrite1h: 4, output: 7, reasoning: 2 };

const prompt = (fields: object) => chatSurface.decodeRequest({ model: 'p/m', messages: [USER], ...fields }, 64);
const decode = (fields: object): Conversation => chatSurface.decodeConversation(prompt(fields));
const said = (message: object) => decode({ messages: [USER, message] }).turns[1]!;
const call = (fields: object = {}) => ({ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' }, ...fields });

describe('reading a conversation', () => {
  test('parts of every kind, with their marks', () => {
    const content = [
      { type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '1h' } },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
      { type: 'image_url', image_url: { url: 'https://a/b.png' } },
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
      { type: 'file', file: { file_id: 'file-1' } },
      { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
      { type: 'text', text: 'b', prompt_cache_breakpoint: { mode: 'explicit' } },
    ];
    expect(decode({ messages: [{ role: 'user', content }] }).turns[0]!.parts).toEqual([
      { type: 'text', text: 'a', cache: { ttl: '1h' } },
      { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' }, detail: 'low' },
      { type: 'image', source: { kind: 'url', url: 'https://a/b.png', mediaType: null } },
      { type: 'file', source: { kind: 'base64', mediaType: 'application/pdf', data: 'JVBE' }, name: 'a.pdf' },
      { type: 'file', source: { kind: 'file', id: 'file-1' }, name: null },
      { type: 'audio', data: 'AAAA', format: 'wav' },
      { type: 'text', text: 'b', cache: { ttl: '5m' } },
    ]);
  });

  test('marks on tools, messages and results', () => {
    const mark = { cache_control: { type: 'ephemeral' } };
    const { turns, tools } = decode({
      messages: [
        { ...USER, ...mark },
        { role: 'assistant', tool_calls: [call()] },
        { role: 'tool', tool_call_id: 'c1', content: 'x', ...mark },
      ],
      tools: [{ type: 'function', function: { name: 'f' }, ...mark }],
    });
    expect(turns[0]!.parts[0]).toMatchObject({ cache: { ttl: '5m' } });
    expect(turns[2]).toMatchObject({ cache: { ttl: '5m' } });
    expect(tools[0]).toMatchObject({ cache: { ttl: '5m' } });
  });

  test('a system message further down stays where it is; a developer message is told apart', () => {
    const { turns } = decode({ messages: [{ role: 'developer', content: 'a' }, USER, { role: 'system', content: 'b' }] });
    expect(turns).toMatchObject([{ role: 'system', developer: true }, { role: 'user' }, { role: 'system', developer: false }]);
  });

  test('functions of the time before tools are calls and results', () => {
    const { turns, tools, toolChoice } = decode({
      functions: [{ name: 'f' }],
      function_call: { name: 'f' },
      messages: [
        USER,
        { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
        { role: 'function', name: 'f', content: 'x' },
      ],
    });
    expect([tools[0]!.name, toolChoice]).toEqual(['f', { type: 'tool', name: 'f' }]);
    const [called] = turns[1]!.parts as { id: string }[];
    expect(turns[2]).toMatchObject({ role: 'tool', callId: called!.id, name: 'f' });
  });

  test.each([
    ['auto', { type: 'auto' }],
    ['required', { type: 'required' }],
    ['none', { type: 'none' }],
    [
      { type: 'function', function: { name: 'f' } },
      { type: 'tool', name: 'f' },
    ],
    [
      { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'f' } }] } },
      { type: 'allowed', names: ['f'], required: true },
    ],
  ])('tool choice %j', (tool_choice, expected) => expect(decode({ tool_choice }).toolChoice).toEqual(expected));

  test.each([
    [{ reasoning_effort: 'none' }, { level: 'off', budgetTokens: null, show: null }],
    [{ reasoning_effort: 'xhigh' }, { level: 'xhigh', budgetTokens: null, show: null }],
    [{ reasoning: { max_tokens: 2000, exclude: true } }, { level: null, budgetTokens: 2000, show: false }],
    [{ reasoning: { enabled: false } }, { level: 'off', budgetTokens: null, show: null }],
    [{ thinking: { type: 'disabled' } }, { level: 'off', budgetTokens: null, show: null }],
    [{}, null],
  ])('thinking %j', (fields, expected) => expect(decode(fields).thinking).toEqual(expected));

  test('fields without a meaning are named, empty ones are not', () =>
    expect(decode({ store: false, future: 1, metadata: null }).leftOut).toEqual(['store', 'future']));

  test.each([
    ['messages[0].content', { messages: [{ role: 'user' }] }],
    ['messages[0].content[0].type', { messages: [{ role: 'user', content: [{ type: 'video' }] }] }],
    ['messages[0].role', { messages: [{ role: 'robot', content: 'x' }] }],
    [
      'messages[0].content[0].image_url.url',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'file:///etc' } }] }] },
    ],
    ['messages[0].tool_calls[0].type', { messages: [{ role: 'assistant', tool_calls: [call({ type: 'computer' })] }] }],
    ['messages[0].tool_call_id', { messages: [{ role: 'tool', content: 'x' }] }],
    ['tools[0].type', { tools: [{ type: 'web_search' }] }],
    ['temperature', { temperature: 'hot' }],
    ['stop', { stop: [1] }],
    ['response_format.json_schema', { response_format: { type: 'json_schema' } }],
    ['reasoning_effort', { reasoning_effort: 'huge' }],
    ['tool_choice', { tool_choice: 'maybe' }],
  ])('what is wrong is refused by its name: %s', (param, fields) =>
    expect(() => decode(fields)).toThrow(expect.objectContaining({ code: 'invalid_request', param })),
  );

  test('no request makes it fail in another way', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('messages', 'tools', 'tool_choice', 'stop', 'reasoning', 'response_format'), fc.jsonValue()),
        (fields) => {
          try {
            decode(fields);
          } catch (error) {
            expect(error).toBeInstanceOf(WeirError);
          }
        },
      ),
    );
  });
});

describe('reasoning that comes back', () => {
  test.each([
    ['reasoning_content', { reasoning_content: 'r' }, { text: 'r', origin: null }],
    ['reasoning', { reasoning: 'r' }, { text: 'r', origin: null }],
    [
      'thinking blocks',
      { thinking_blocks: [{ type: 'thinking', thinking: 'r', signature: 'S' }] },
      { text: 'r', origin: 'anthropic', signature: 'S' },
    ],
    ['a redacted block', { thinking_blocks: [{ type: 'redacted_thinking', data: 'D' }] }, { origin: 'anthropic', redacted: 'D' }],
    [
      'details win over their plain text',
      {
        reasoning: 'r',
        reasoning_details: [{ type: 'reasoning.text', text: 'r', signature: 'S', format: 'anthropic-claude-v1', index: 0 }],
      },
      { text: 'r', origin: 'anthropic', signature: 'S' },
    ],
    [
      'pieces of a block are joined',
      {
        reasoning_details: [
          { type: 'reasoning.summary', summary: 'a', format: 'openai-responses-v1', index: 0 },
          { type: 'reasoning.summary', summary: 'b', format: 'openai-responses-v1', index: 0 },
          { type: 'reasoning.encrypted', data: 'E', id: 'rs_1', format: 'openai-responses-v1', index: 0 },
        ],
      },
      { text: 'ab', origin: 'openai', signature: 'E', id: 'rs_1' },
    ],
  ])('%s', (_name, fields, expected) =>
    expect(said({ role: 'assistant', content: 'x', ...fields }).parts).toMatchObject([expected, { type: 'text' }]),
  );

  test.each([
    ['beside the call', { tool_calls: [call({ extra_content: { google: { thought_signature: 'S' } } })] }],
    ['inside its id', { tool_calls: [call({ id: 'c1__thought__S' })] }],
    [
      'in a detail with its id',
      { tool_calls: [call()], reasoning_details: [{ type: 'reasoning.encrypted', data: 'S', id: 'c1', format: 'google-gemini-v1' }] },
    ],
  ])("Gemini's signature of a call %s", (_name, fields) =>
    expect(said({ role: 'assistant', content: null, ...fields }).parts).toMatchObject([{ type: 'tool_call', id: 'c1', signature: 'S' }]),
  );

  test('a result of a call whose id carried a signature still belongs to it', () =>
    expect(said({ role: 'tool', tool_call_id: 'c1__thought__S', content: 'x' })).toMatchObject({ callId: 'c1' }));
});

const EVENTS: ReplyEvent[] = [
  { type: 'start', id: 'up', model: 'served' },
  { type: 'reasoning', choice: 0, block: 0, text: 'think' },
  { type: 'reasoning_state', choice: 0, block: 0, origin: 'anthropic', signature: 'S', redacted: null, id: null },
  { type: 'reasoning_state', choice: 0, block: 1, origin: 'anthropic', signature: null, redacted: 'D', id: null },
  { type: 'text', choice: 0, text: 'Hel' },
  { type: 'text', choice: 0, text: 'lo' },
  { type: 'annotation', choice: 0, annotation: { url: 'https://a', title: 'A', start: 0, end: 5 } },
  { type: 'tool_call', choice: 0, call: 0, id: 'c1', name: 'f', signature: 'G' },
  { type: 'tool_call', choice: 0, call: 1, id: 'c2', name: 'g' },
  { type: 'arguments', choice: 0, call: 1, text: '{}' },
  { type: 'arguments', choice: 0, call: 0, text: '{"a":1}' },
  { type: 'logprobs', choice: 0, content: [{ token: 'x' }] },
];
const FINISH = { type: 'finish', choice: 0, reason: 'tool_calls', native: 'tool_use' } as const;

function stream(events: ReplyEvent[], includeUsage: boolean, costUsd: number | null = null) {
  const encoder = chatSurface.streamEncoder(prompt({ stream: true, stream_options: { include_usage: includeUsage } }), IDENTITY);
  const text =
    events.map((event) => encoder.push(event)).join('') + encoder.end({ finishes: [FINISH], usage: USAGE, usageRaw: null, costUsd });
  return {
    text,
    chunks: framesOf('sse', Buffer.from(text))
      .slice(0, -1)
      .map(({ data }) => JSON.parse(data)),
  };
}

describe('writing a stream', () => {
  test('what is written is read again as the same answer', () => {
    const decoder = openaiChat.streamDecoder();
    const { text } = stream(EVENTS, true);
    const events = framesOf('sse', Buffer.from(text)).flatMap((frame) => decoder.push(frame));
    const read = fold([...events, ...decoder.end()]);
    expect(read).toEqual({ ...fold([...EVENTS, FINISH]), id: 'chatcmpl-x1' });
  });

  test('a whole answer is read again as the same answer, and like the stream of it', () => {
    const whole = chatSurface.encodeAnswer(fold([...EVENTS, FINISH]), USAGE, IDENTITY, null, prompt({}));
    const events = openaiChat.decodeAnswer(Buffer.from(whole), {});
    const read = fold(events).choices[0]!;
    expect(new Set(read.parts)).toEqual(new Set(fold([...EVENTS, FINISH]).choices[0]!.parts));
    expect(events.findLast(({ type }) => type === 'usage')).toMatchObject({
      usage: { input: 10, cacheRead: 20, cacheWrite5m: 7, output: 7, reasoning: 2 },
    });
  });

  test('one id, time and model in all chunks; the role first, the reason last', () => {
    const { chunks } = stream(EVENTS, false);
    for (const chunk of chunks)
      expect(chunk).toMatchObject({ id: 'chatcmpl-x1', created: 5, model: 'served', object: 'chat.completion.chunk' });
    expect(chunks[0].choices[0].delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.at(-1).choices).toEqual([{ index: 0, delta: {}, finish_reason: 'tool_calls', native_finish_reason: 'tool_use' }]);
  });

  test('calls count from 0; only the first piece has id, type and name', () => {
    const pieces = stream(EVENTS, false).chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
    expect(pieces).toEqual([
      {
        index: 0,
        id: 'c1',
        type: 'function',
        function: { name: 'f', arguments: '' },
        extra_content: { google: { thought_signature: 'G' } },
      },
      { index: 1, id: 'c2', type: 'function', function: { name: 'g', arguments: '' } },
      { index: 1, function: { arguments: '{}' } },
      { index: 0, function: { arguments: '{"a":1}' } },
    ]);
  });

  test('the state of blocks that follow each other is one value, as clients may keep only the last', () => {
    const values = stream(EVENTS, false).chunks.flatMap((chunk) => chunk.choices[0].delta.reasoning_details ?? []);
    const chunks = stream(EVENTS, false).chunks.filter((chunk) => chunk.choices[0].delta.reasoning_details);
    expect([chunks.length, values.map(({ index }: { index: number }) => index)]).toEqual([1, [0, 1]]);
  });

  test('usage is null in every chunk but its own for a client that asked, and nowhere for one that did not', () => {
    const asked = stream(EVENTS, true, 0.5).chunks;
    expect(asked.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    expect(asked.at(-1)).toMatchObject({
      choices: [],
      usage: {
        prompt_tokens: 37,
        completion_tokens: 7,
        total_tokens: 44,
        prompt_tokens_details: { cached_tokens: 20, cache_write_tokens: 7 },
        completion_tokens_details: { reasoning_tokens: 2 },
        cost: 0.5,
      },
    });
    expect(stream(EVENTS, false).text).not.toContain('usage');
  });

  test('nothing is written before there is content; a failure ends it without a terminator', () => {
    const encoder = chatSurface.streamEncoder(prompt({ stream: true }), IDENTITY);
    expect(encoder.push(EVENTS[0]!)).toBe('');
    expect(encoder.push({ type: 'text', choice: 0, text: '' })).toBe('');
    expect(encoder.fail(new WeirError('upstream_interrupted'))).toMatch(/^data: \{"error":\{.*\n\n$/);
  });

  test('several answers have a role each', () => {
    const { chunks } = stream(
      [
        { type: 'text', choice: 1, text: 'b' },
        { type: 'text', choice: 0, text: 'a' },
      ],
      false,
    );
    expect(chunks.map(({ choices: [{ index, delta }] }) => [index, Object.keys(delta)])).toEqual([
      [1, ['role', 'content']],
      [1, ['content']],
      [0, ['role', 'content']],
      [0, ['content']],
      [0, []],
    ]);
  });
});

describe('writing a whole answer', () => {
  const message = (...events: ReplyEvent[]) =>
    JSON.parse(chatSurface.encodeAnswer(fold([...events, FINISH]), USAGE, IDENTITY, null, prompt({}))).choices[0].message;

  test('content is null beside calls alone, and there is no list of calls where there are none', () => {
    expect(message(...EVENTS.slice(7, 11)).content).toBeNull();
    expect(message({ type: 'text', choice: 0, text: 'x' })).toEqual({ role: 'assistant', content: 'x', refusal: null });
  });

  test('a refusal is told as one', () =>
    expect(message({ type: 'refusal', choice: 0, text: 'No.' })).toMatchObject({ content: null, refusal: 'No.' }));

  test('images go the way OpenRouter shows them', () =>
    expect(message({ type: 'image', choice: 0, mediaType: 'image/png', data: 'AAAA' }).images).toEqual([
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
    ]));
});
