import type { Conversation, Turn } from '../../canonical.js';
import type { Quirks } from '../../quirks.js';
import { chatSurface, openaiChat } from '../index.js';

const text = (words: string) => ({ type: 'text' as const, text: words });
const USER: Turn = { role: 'user', parts: [text('Hi')] };
const BLANK = chatSurface.decodeConversation(chatSurface.decodeRequest({ messages: [{ role: 'user', content: 'Hi' }] }, 9));

const send = (fields: Partial<Conversation>, quirks: Quirks = {}, model = 'm') =>
  openaiChat.encodeRequest({ ...BLANK, ...fields }, { model, maxOutputTokens: 100, thinkingLevel: null, quirks });
const encode = (fields: Partial<Conversation>, quirks: Quirks = {}, model = 'm') => JSON.parse(send(fields, quirks, model).body);
const messages = (turns: Turn[], quirks: Quirks = {}, model = 'm') => encode({ turns }, quirks, model).messages;

const reasoning = (fields: object) => ({
  type: 'reasoning' as const,
  text: 'r',
  origin: null,
  signature: null,
  redacted: null,
  id: null,
  ...fields,
});
const call = (id: string, fields: object = {}) => ({ type: 'tool_call' as const, id, name: 'f', arguments: '{"b":1,"a":2}', ...fields });
const result = (callId: string, ...parts: Extract<Turn, { role: 'tool' }>['parts']): Turn => ({
  role: 'tool',
  callId,
  name: null,
  parts,
  isError: false,
});

test('the same conversation gives the same bytes, and what says nothing is not sent', () => {
  expect(send({}).body).toBe(send({}).body);
  expect(encode({})).toEqual({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 100 });
});

describe('turns', () => {
  test('arguments and ids go back byte for byte; content is null beside calls', () =>
    expect(messages([USER, { role: 'assistant', parts: [call('call_1')] }, result('call_1', text('x'))]).slice(1)).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"b":1,"a":2}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'x' },
    ]));

  test.each([
    ['', '{}'],
    [' ', '{}'],
    ['null', '{}'],
    ['{"a"', '{"raw_arguments":"{\\"a\\""}'],
  ])('arguments %j in history become a JSON object', (args, expected) =>
    expect(messages([{ role: 'assistant', parts: [call('a', { arguments: args })] }])[0].tool_calls[0].function.arguments).toBe(expected),
  );

  test('images of results follow all results, in a message of the user', () => {
    const image = { type: 'image' as const, source: { kind: 'base64' as const, mediaType: 'image/png', data: 'AAAA' } };
    const roles = messages([{ role: 'assistant', parts: [call('a'), call('b')] }, result('a', image), result('b', text('x')), USER]);
    expect(roles.map(({ role }: { role: string }) => role)).toEqual(['assistant', 'tool', 'tool', 'user', 'user']);
    expect(roles[3].content[1]).toEqual({ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } });
  });

  test('a failed result says so', () =>
    expect(messages([{ ...result('a', text('x')), isError: true } as Turn])[0].content).toBe('Error: x'));

  test('an empty instruction is left out', () =>
    expect(messages([{ role: 'system', developer: false, parts: [text('')] }, USER])).toHaveLength(1));

  test('what the format cannot carry is refused', () => {
    const file: Turn = { role: 'user', parts: [{ type: 'file', source: { kind: 'url', url: 'https://a', mediaType: null }, name: null }] };
    expect(() => messages([file])).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });

  test('marks of the cache go to those who know them, in their form', () => {
    const marked: Turn[] = [{ role: 'user', parts: [{ ...text('Hi'), cache: { ttl: '1h' } }] }];
    expect(messages(marked, { thinking: 'openrouter' })[0].content).toEqual([
      { ...text('Hi'), cache_control: { type: 'ephemeral', ttl: '1h' } },
    ]);
    expect(messages(marked, {}, 'gpt-5.6')[0].content).toEqual([{ ...text('Hi'), prompt_cache_breakpoint: { mode: 'explicit' } }]);
    expect(messages(marked, {}, 'gpt-5.5')[0].content).toBe('Hi');
  });
});

describe('reasoning', () => {
  const turn = (...parts: Extract<Turn, { role: 'assistant' }>['parts']): Turn[] => [{ role: 'assistant', parts: [...parts, call('a')] }];

  test('it goes back only where it is wanted', () => {
    expect(messages(turn(reasoning({})))[0]).not.toHaveProperty('reasoning_content');
    expect(messages(turn(reasoning({})), { reasoningBack: 'as-is' })[0].reasoning_content).toBe('r');
    expect(messages(turn(), { reasoningBack: 'always' })[0].reasoning_content).toBe('');
  });

  test('state goes back to its own family only, and is not turned into text', () => {
    const claude = turn(reasoning({ origin: 'anthropic', signature: 'S' }));
    expect(messages(claude, { reasoningBack: 'always' })[0].reasoning_content).toBe('');
    const openrouter: Quirks = { thinking: 'openrouter' };
    expect(messages(claude, openrouter, 'anthropic/claude-opus-5')[0].reasoning_details).toEqual([
      { type: 'reasoning.text', text: 'r', signature: 'S', format: 'anthropic-claude-v1', index: 0 },
    ]);
    expect(messages(claude, openrouter, 'google/gemini-3-pro')[0]).not.toHaveProperty('reasoning_details');
  });

  test("Gemini's signature of a call goes back beside it, and to no other model", () => {
    const signed: Turn[] = [{ role: 'assistant', parts: [call('a', { signature: 'S' })] }];
    expect(messages(signed, {}, 'gemini-3-pro')[0].tool_calls[0].extra_content).toEqual({ google: { thought_signature: 'S' } });
    expect(messages(signed, {}, 'gpt-5')[0].tool_calls[0]).not.toHaveProperty('extra_content');
  });
});

describe('tools', () => {
  const tool = (name: string) => ({ name, description: null, parameters: null, strict: null });
  const tools = [tool('f'), tool('g')];

  test('names that are not allowed are changed, and known again by the reply', () => {
    const { body, reply } = send({ tools: [tool('a.b')], toolChoice: { type: 'tool', name: 'a.b' } });
    const [sent] = reply.toolNames.keys();
    expect(sent).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
    expect(reply.toolNames.get(sent!)).toBe('a.b');
    expect(JSON.parse(body)).toMatchObject({ tools: [{ function: { name: sent } }], tool_choice: { function: { name: sent } } });
  });

  test('those who know no list of allowed tools get only these', () => {
    const toolChoice = { type: 'allowed' as const, names: ['g'], required: true };
    expect(encode({ tools, toolChoice })).toMatchObject({ tools: [{ function: { name: 'g' } }], tool_choice: 'required' });
    expect(encode({ tools, toolChoice }, {}, 'gpt-5').tools).toHaveLength(2);
  });

  test('a choice without tools is not sent', () =>
    expect(encode({ toolChoice: { type: 'auto' }, parallelToolCalls: false })).not.toHaveProperty('tool_choice'));
});

test('JSON without a schema needs the word in the prompt', () => {
  expect(encode({ format: { type: 'json' } }).messages).toHaveLength(2);
  expect(encode({ format: { type: 'json' }, turns: [{ role: 'user', parts: [text('Say it in JSON.')] }] }).messages).toHaveLength(1);
});

test('what only some providers know is left out elsewhere, and said', () => {
  const settings = { ...BLANK.settings, topK: 5, verbosity: 'low' };
  expect(send({ settings }).warnings).toHaveLength(2);
  expect(encode({ settings }, { thinking: 'openrouter' })).toMatchObject({ top_k: 5, verbosity: 'low' });
  expect(encode({ settings }, {}, 'gpt-5')).toMatchObject({ verbosity: 'low' });
});

test('OpenAI reasoning models get the limit under the name they take', () =>
  expect(encode({}, {}, 'gpt-5')).toMatchObject({ max_completion_tokens: 100 }));
