import { conversation as conversationOf } from '../../../test/support/conversations.js';
import { type Conversation, NO_SETTINGS, type Turn } from '../canonical.js';
import { anthropicMessages } from './index.js';

const user = (text: string): Turn => ({ role: 'user', parts: [{ type: 'text', text }] });
const system = (text: string): Turn => ({ role: 'system', developer: false, parts: [{ type: 'text', text }] });
const assistant = (text: string): Turn => ({ role: 'assistant', parts: [{ type: 'text', text }] });
const calls = (...ids: string[]): Turn => ({
  role: 'assistant',
  parts: ids.map((id) => ({ type: 'tool_call', id, name: 'f', arguments: '{}' })),
});
const result = (callId: string, text = 'ok', isError = false): Turn => ({
  role: 'tool',
  callId,
  name: null,
  parts: [{ type: 'text', text }],
  isError,
});
const tool = (name: string, fields: object = {}) => ({ name, description: null, parameters: null, strict: null, ...fields });

function encode(fields: Partial<Conversation>, model = 'claude-sonnet-4-5', maxOutputTokens = 4096) {
  const conversation = conversationOf(fields);
  const request = anthropicMessages.encodeRequest(conversation, { model, maxOutputTokens, thinkingLevel: null, quirks: {} });
  return { ...request, sent: JSON.parse(request.body) };
}
const set = (settings: Partial<Conversation['settings']>) => ({ settings: { ...NO_SETTINGS, ...settings } });
const thinking = (level: 'low' | 'high' | 'off') => ({ thinking: { level, budgetTokens: null, show: null } });

test('a plain request says no more than it must', () => {
  const { path, headers, sent, warnings } = encode({});
  expect([path, headers]).toEqual(['/messages', ['anthropic-version', '2023-06-01']]);
  expect(sent).toEqual({
    model: 'claude-sonnet-4-5',
    max_tokens: 4096,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  });
  expect(warnings).toEqual([]);
});

test('the same request gives the same bytes', () => {
  const fields = {
    tools: [tool('a.b', { parameters: { type: 'object', properties: { z: {}, a: {} } } })],
    turns: [system('S'), user('Hi')],
  };
  expect(encode(fields).body).toBe(encode(fields).body);
});

describe('instructions', () => {
  test('the leading run becomes the instruction, block by block, without empty ones', () =>
    expect(encode({ turns: [system('A'), system(''), system('B'), user('Hi')] }).sent.system).toEqual([
      { type: 'text', text: 'A' },
      { type: 'text', text: 'B' },
    ]));

  test('one further down stays where it is, as the model can have it', () => {
    const turns = [user('Hi'), system('X'), assistant('Yes'), user('And?')];
    expect(encode({ turns }, 'claude-opus-5').sent.messages[1]).toEqual({ role: 'system', content: [{ type: 'text', text: 'X' }] });
    for (const model of ['claude-sonnet-4-5', 'claude-sonnet-5', 'claude-future-9']) {
      const { messages, system: instruction } = encode({ turns }, model).sent;
      expect(messages[0].content).toEqual([
        { type: 'text', text: 'Hi' },
        { type: 'text', text: '<system>X</system>' },
      ]);
      expect(instruction).toBeUndefined();
    }
  });

  test('one before more words of the user is part of them even where the model has system messages', () =>
    expect(encode({ turns: [user('A'), system('X'), user('B')] }, 'claude-opus-5').sent.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'A' },
          { type: 'text', text: '<system>X</system>' },
          { type: 'text', text: 'B' },
        ],
      },
    ]));

  test('one between calls and results comes after the results', () =>
    expect(encode({ turns: [user('A'), calls('c'), system('X'), result('c'), user('B')] }).sent.messages[2].content).toMatchObject([
      { type: 'tool_result' },
      { text: '<system>X</system>' },
      { text: 'B' },
    ]));

  test('an instruction alone is said by the user', () => {
    const { sent } = encode({ turns: [system('Do it.')] });
    expect([sent.system, sent.messages]).toEqual([undefined, [{ role: 'user', content: [{ type: 'text', text: 'Do it.' }] }]]);
  });
});

describe('turns', () => {
  test('neighbors of a role are one message, and blank text is left out', () =>
    expect(encode({ turns: [user('A'), user(' '), user('B'), assistant(''), user('C')] }).sent.messages).toEqual([
      { role: 'user', content: ['A', 'B', 'C'].map((text) => ({ type: 'text', text })) },
    ]));

  test('all results of an answer are in one message, in front of what the user says', () =>
    expect(encode({ turns: [user('A'), calls('x', 'y'), result('y', 'Y', true), result('x', 'X'), user('B')] }).sent.messages[2]).toEqual({
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'x', content: 'X' },
        { type: 'tool_result', tool_use_id: 'y', content: 'Y', is_error: true },
        { type: 'text', text: 'B' },
      ],
    }));

  test.each([
    ['a result without its call', [user('A'), result('x')]],
    ['a result of another answer', [user('A'), calls('x'), result('x'), assistant('B'), result('x')]],
    ['a result given twice', [user('A'), calls('x'), result('x'), result('x')]],
    ['a call without its result', [user('A'), calls('x', 'y'), result('y'), user('B')]],
    ['a call at the end', [user('A'), calls('x')]],
  ])('%s is refused by name', (_name, turns) =>
    expect(() => encode({ turns })).toThrow(
      expect.objectContaining({ code: 'invalid_request', param: 'messages', message: expect.stringContaining('"x"') }),
    ),
  );

  test('a result without words has no content, and images in it stay inside', () => {
    const image = { type: 'image' as const, source: { kind: 'base64' as const, mediaType: 'image/jpeg', data: 'iVBORw0KGgoAAA' } };
    const { messages } = encode({
      turns: [user('A'), calls('x', 'y'), result('x', ' '), { role: 'tool', callId: 'y', name: null, isError: false, parts: [image] }],
    }).sent;
    expect(messages[2].content).toEqual([
      { type: 'tool_result', tool_use_id: 'x' },
      {
        type: 'tool_result',
        tool_use_id: 'y',
        content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgoAAA' } }],
      },
    ]);
  });

  test('arguments are sent as an object, whatever they came as', () => {
    const came = { a: '', b: 'null', c: '{"x":1}', d: '{"x":' };
    const parts = Object.entries(came).map(([id, json]) => ({ type: 'tool_call' as const, id, name: 'f', arguments: json }));
    const { sent, warnings } = encode({ turns: [user('A'), { role: 'assistant', parts }, ...Object.keys(came).map((id) => result(id))] });
    expect(sent.messages[1].content.map(({ input }: { input: unknown }) => input)).toEqual([{}, {}, { x: 1 }, { raw_arguments: '{"x":' }]);
    expect(warnings).toEqual([expect.stringContaining('"d"')]);
  });

  test('ids and names that are not allowed are changed alike for calls, results and tools, and back again', () => {
    const turns: Turn[] = [
      user('A'),
      { role: 'assistant', parts: [{ type: 'tool_call', id: 'resp_1:call_0', name: 'files.read', arguments: '{}' }] },
      result('resp_1:call_0'),
    ];
    const { sent, reply } = encode({ turns, tools: [tool('files.read')], toolChoice: { type: 'tool', name: 'files.read' } });
    const [use] = sent.messages[1].content;
    expect(use.id).toMatch(/^[\w-]+$/);
    expect(sent.messages[2].content[0].tool_use_id).toBe(use.id);
    expect(use.name).toMatch(/^[\w-]{1,128}$/);
    expect([sent.tools[0].name, sent.tool_choice.name]).toEqual([use.name, use.name]);
    expect(reply.toolNames.get(use.name)).toBe('files.read');
  });

  test('an answer that was begun does not end in white space', () =>
    expect(encode({ turns: [user('A'), assistant('So: \n')] }).sent.messages[1].content[0].text).toBe('So:'));

  test("only Claude's own reasoning goes back, word for word and before the calls", () => {
    const reasoning = { type: 'reasoning' as const, text: '', origin: 'anthropic' as const, signature: null, redacted: null, id: null };
    const turns: Turn[] = [
      user('A'),
      {
        role: 'assistant',
        parts: [
          { type: 'tool_call', id: 'x', name: 'f', arguments: '{}' },
          { ...reasoning, signature: 's==' },
          { ...reasoning, redacted: 'r' },
          { ...reasoning, text: 'unsigned', origin: null },
          { ...reasoning, text: 'other', origin: 'gemini', signature: 'g' },
        ],
      },
      result('x'),
    ];
    const expected = [
      { type: 'thinking', thinking: '', signature: 's==' },
      { type: 'redacted_thinking', data: 'r' },
    ];
    expect(encode({ turns }).sent.messages[1].content).toEqual([...expected, { type: 'tool_use', id: 'x', name: 'f', input: {} }]);
    expect(encode({ turns }, 'claude-3-haiku-20240307').sent.messages[1].content).toHaveLength(1);
  });
});

describe('files', () => {
  const file = (source: object, name: string | null = null) =>
    encode({ turns: [{ role: 'user', parts: [{ type: 'file', source, name } as never] }] });

  test('a PDF, a text, an address and a stored file become documents', () => {
    const content = (source: object) => file(source, 'T').sent.messages[0].content[0];
    expect(content({ kind: 'base64', mediaType: 'application/octet-stream', data: 'JVBERi0x' })).toEqual({
      type: 'document',
      source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0x' },
      title: 'T',
    });
    expect(content({ kind: 'base64', mediaType: 'text/plain', data: 'SGk=' }).source).toEqual({
      type: 'text',
      media_type: 'text/plain',
      data: 'Hi',
    });
    expect(content({ kind: 'url', url: 'https://x/y.pdf', mediaType: null }).source).toEqual({ type: 'url', url: 'https://x/y.pdf' });
    expect(content({ kind: 'file', id: 'file_1' }).source).toEqual({ type: 'file', file_id: 'file_1' });
    expect(file({ kind: 'file', id: 'file_1' }).headers).toContain('files-api-2025-04-14');
  });

  test('other kinds and sounds are refused with what to do', () => {
    expect(() => file({ kind: 'base64', mediaType: 'application/zip', data: 'UEsDBA' })).toThrow('Send a PDF');
    expect(() => encode({ turns: [{ role: 'user', parts: [{ type: 'audio', data: 'x', format: 'wav' }] }] })).toThrow('Audio');
  });
});

describe('tools', () => {
  const tools = [tool('f'), tool('g')];

  test.each([
    [null, null, undefined],
    [{ type: 'auto' }, null, { type: 'auto' }],
    [{ type: 'none' }, null, { type: 'none' }],
    [{ type: 'required' }, null, { type: 'any' }],
    [{ type: 'tool', name: 'g' }, false, { type: 'tool', name: 'g', disable_parallel_tool_use: true }],
    [null, false, { type: 'auto', disable_parallel_tool_use: true }],
    [{ type: 'allowed', names: ['g'], required: true }, true, { type: 'any' }],
  ] as const)('the choice %j with parallel %j is %j', (toolChoice, parallelToolCalls, expected) =>
    expect(encode({ tools, toolChoice: toolChoice as Conversation['toolChoice'], parallelToolCalls }).sent.tool_choice).toEqual(expected),
  );

  test('only allowed tools are offered, and a choice among none is not told', () => {
    expect(encode({ tools, toolChoice: { type: 'allowed', names: ['g'], required: false } }).sent.tools).toHaveLength(1);
    expect(encode({ toolChoice: { type: 'auto' }, parallelToolCalls: false }).sent).not.toHaveProperty('tool_choice');
    expect(() => encode({ tools, toolChoice: { type: 'tool', name: 'h' } })).toThrow(expect.objectContaining({ param: 'tool_choice' }));
  });

  test('a model that cannot be made to call is left to choose, and the client is told', () => {
    const { sent, warnings } = encode({ tools, toolChoice: { type: 'tool', name: 'g' } }, 'claude-opus-5-5');
    expect([sent.tool_choice, warnings.length]).toEqual([{ type: 'auto' }, 1]);
  });

  test('a forced call wins over thinking by a budget, and goes with adaptive thinking', () => {
    const budgeted = encode({ tools, toolChoice: { type: 'required' }, ...thinking('low') });
    expect([budgeted.sent.thinking, budgeted.sent.tool_choice, budgeted.thinkingLevel]).toEqual([undefined, { type: 'any' }, 'off']);
    const adaptive = encode({ tools, toolChoice: { type: 'required' }, ...thinking('low') }, 'claude-opus-4-7');
    expect([adaptive.sent.thinking.type, adaptive.sent.tool_choice, adaptive.thinkingLevel]).toEqual(['adaptive', { type: 'any' }, 'low']);
  });

  test('strict tools get a schema the grammar takes, where there is a grammar', () => {
    const strict = [tool('f', { strict: true, parameters: { type: 'object', properties: { a: { type: 'integer', minimum: 1 } } } })];
    expect(encode({ tools: strict }).sent.tools[0]).toMatchObject({ strict: true, input_schema: { additionalProperties: false } });
    const older = encode({ tools: strict }, 'claude-sonnet-4-20250514');
    expect([older.sent.tools[0].strict, older.sent.tools[0].input_schema.properties.a.minimum, older.warnings.length]).toEqual([
      undefined,
      1,
      1,
    ]);
  });
});

describe('structured output', () => {
  const format = (schema: Record<string, unknown>): Partial<Conversation> => ({
    format: { type: 'json_schema', name: 'n', description: null, schema, strict: true },
  });
  const plain = { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false };
  const free = { type: 'object', additionalProperties: { type: 'string' } };

  test("goes by the model's own grammar, also on the newest", () => {
    for (const model of ['claude-sonnet-4-5', 'claude-opus-5-5', 'claude-future-9'])
      expect(encode(format(plain), model).sent.output_config).toEqual({ format: { type: 'json_schema', schema: plain } });
  });

  test.each([
    ['an older model', plain, 'claude-sonnet-4-20250514'],
    ['a schema the grammar cannot say', free, 'claude-sonnet-4-5'],
  ])('goes by a tool for %s', (_name, schema, model) => {
    const { sent, reply } = encode(format(schema), model);
    expect(reply.outputTool).toBe('json');
    expect(sent.tools).toMatchObject([{ name: 'json', input_schema: schema }]);
    expect(sent.tool_choice).toEqual({ type: 'tool', name: 'json', disable_parallel_tool_use: true });
  });

  test("beside the client's own tools any may be called, and none of theirs is taken for ours", () => {
    const { sent, reply } = encode({ ...format(free), tools: [tool('json')] });
    expect([reply.outputTool, sent.tool_choice]).toEqual(['json_answer', { type: 'any', disable_parallel_tool_use: true }]);
  });

  test('goes by words where a call cannot be forced', () => {
    for (const fields of [
      { ...format(free), ...thinking('low') },
      { ...format(free), tools: [tool('f')], toolChoice: { type: 'required' as const } },
    ]) {
      const { sent, reply, warnings } = encode(fields);
      expect(reply.outputTool).toBeNull();
      expect(sent.system.at(-1).text).toContain(JSON.stringify(free));
      expect(warnings.length).toBe(1);
    }
    expect(encode(format(free), 'claude-fable-5').sent.system).toHaveLength(1);
  });

  test('JSON of any form is asked for in words', () => expect(encode({ format: { type: 'json' } }).sent.system).toHaveLength(1));
});

describe('settings', () => {
  test('sampling goes to the models that take it', () => {
    const asked = set({ temperature: 1.5, topP: 0.5, topK: 3 });
    const kept = encode(asked, 'claude-sonnet-4-5');
    expect(kept.sent).toMatchObject({ temperature: 1, top_k: 3 });
    expect([kept.sent.top_p, kept.warnings.length]).toEqual([undefined, 2]);
    expect(encode(asked, 'claude-3-haiku-20240307').sent).toMatchObject({ temperature: 1, top_p: 0.5 });
    for (const model of ['claude-opus-4-7', 'claude-opus-5-5', 'claude-future-9']) {
      const none = encode(asked, model);
      expect(none.sent).not.toHaveProperty('temperature');
      expect(none.sent).not.toHaveProperty('top_p');
      expect(none.sent).not.toHaveProperty('top_k');
      expect(none.warnings).toHaveLength(3);
    }
    expect(encode({ ...asked, ...thinking('low') }).sent).not.toHaveProperty('temperature');
    expect(encode(set({ temperature: 1 }), 'claude-opus-5').warnings).toEqual([]);
  });

  test('what the provider does not have is left out and told', () => {
    const { sent, warnings } = encode(set({ seed: 1, logprobs: true, presencePenalty: 1, serviceTier: 'flex', verbosity: 'low' }));
    expect(Object.keys(sent)).toEqual(['model', 'max_tokens', 'messages']);
    expect(warnings).toHaveLength(5);
  });

  test('several answers and a stop at white space are refused', () => {
    expect(() => encode({ choices: 2 })).toThrow(expect.objectContaining({ param: 'n' }));
    expect(() => encode(set({ stop: ['\n'] }))).toThrow(expect.objectContaining({ param: 'stop' }));
    expect(encode(set({ stop: ['END'] })).sent.stop_sequences).toEqual(['END']);
  });

  test('the end user is told apart, but not told', () => {
    const { user_id } = encode({ endUser: 'ann@example.com' }).sent.metadata;
    expect(user_id).toMatch(/^[0-9a-f]{64}$/);
    expect(encode({ endUser: 'bob@example.com' }).sent.metadata.user_id).not.toBe(user_id);
  });

  test('the default tier is the standard one', () =>
    expect(encode(set({ serviceTier: 'default' })).sent.service_tier).toBe('standard_only'));
});

describe('thinking', () => {
  test('by a budget it is left out amid calls that began without it, and kept where they began with it', () => {
    const tools = [tool('f')];
    const bare = encode({ tools, turns: [user('A'), calls('x'), result('x')], ...thinking('high') });
    expect([bare.sent.thinking, bare.warnings.length]).toEqual([undefined, 1]);
    const signed: Turn = {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 't', origin: 'anthropic', signature: 's', redacted: null, id: null },
        { type: 'tool_call', id: 'x', name: 'f', arguments: '{}' },
      ],
    };
    expect(encode({ tools, turns: [user('A'), signed, result('x')], ...thinking('high') }).sent.thinking.type).toBe('enabled');
    expect(encode({ tools, turns: [user('A'), calls('x'), result('x')], ...thinking('high') }, 'claude-opus-5').sent.thinking.type).toBe(
      'adaptive',
    );
  });

  test('off is said', () => expect(encode(thinking('off')).sent.thinking).toEqual({ type: 'disabled' }));
});

describe('cache marks', () => {
  const marked = (text: string, ttl: '5m' | '1h' = '5m'): Turn => ({ role: 'user', parts: [{ type: 'text', text, cache: { ttl } }] });
  const marksOf = (sent: { messages: { content: { cache_control?: unknown }[] }[] }) =>
    sent.messages.flatMap(({ content }) => content.map(({ cache_control }) => cache_control ?? null));

  test('of more than four the last four stay', () => {
    const { sent, warnings } = encode({ turns: ['a', 'b', 'c', 'd', 'e'].map((text) => marked(text)) });
    expect(marksOf(sent)).toEqual([null, ...Array(4).fill({ type: 'ephemeral' })]);
    expect(warnings).toHaveLength(1);
  });

  test('an hour comes before five minutes', () => {
    const { sent } = encode({ turns: [marked('a', '1h'), marked('b'), marked('c', '1h')] });
    expect(marksOf(sent)).toEqual([{ type: 'ephemeral', ttl: '1h' }, { type: 'ephemeral' }, { type: 'ephemeral' }]);
  });

  test('tools and results carry them, too', () => {
    const { sent } = encode({
      tools: [tool('f', { cache: { ttl: '5m' } })],
      turns: [user('A'), calls('x'), { role: 'tool', callId: 'x', name: null, parts: [], isError: false, cache: { ttl: '5m' } }],
    });
    expect([sent.tools[0].cache_control, sent.messages[2].content[0].cache_control]).toEqual([
      { type: 'ephemeral' },
      { type: 'ephemeral' },
    ]);
  });
});
