import { WeirError } from '../../kernel/errors.js';
import type { Conversation } from '../canonical.js';
import { responsesSurface } from './index.js';
import { encryptedContent, stateIn } from './state.js';

const decode = (body: Record<string, unknown>): Conversation =>
  responsesSurface.decodeConversation(responsesSurface.decodeRequest({ model: 'p/m', input: 'hello', ...body }, 100));

function refusal(body: Record<string, unknown>): { param: string | null; message: string } {
  try {
    decode(body);
  } catch (error) {
    if (error instanceof WeirError && error.code === 'invalid_request') return { param: error.param, message: error.message };
    throw error;
  }
  throw new Error('it was accepted');
}

const text = (value: string) => [{ type: 'text', text: value }];
const call = (id: string, name: string, args = '{}') => ({ type: 'function_call', call_id: id, name, arguments: args });
const output = (id: string, value: unknown) => ({ type: 'function_call_output', call_id: id, output: value });

describe('input', () => {
  test('a text is one user turn, and instructions are the system turn before it', () => {
    expect(decode({ instructions: 'Be brief.' }).turns).toEqual([
      { role: 'system', developer: false, parts: text('Be brief.') },
      { role: 'user', parts: text('hello') },
    ]);
  });

  test('what the model said until the next word of someone else is one turn', () => {
    const input = [
      { role: 'user', content: 'go' },
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'enc' },
      { type: 'message', role: 'assistant', phase: 'commentary', content: [{ type: 'output_text', text: 'I look.', annotations: [] }] },
      call('c1', 'f', '{"a":1}'),
      call('c2', 'g'),
      output('c1', 'one'),
      output('c2', [{ type: 'input_text', text: 'two' }]),
      { role: 'developer', content: [{ type: 'input_text', text: 'note' }] },
      { role: 'user', content: [{ type: 'input_text', text: 'on' }] },
    ];
    expect(decode({ input }).turns).toEqual([
      { role: 'user', parts: text('go') },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'hm', origin: 'openai', signature: 'enc', redacted: null, id: 'rs_1' },
          { type: 'text', text: 'I look.', phase: 'commentary' },
          { type: 'tool_call', id: 'c1', name: 'f', arguments: '{"a":1}' },
          { type: 'tool_call', id: 'c2', name: 'g', arguments: '{}' },
        ],
      },
      { role: 'tool', callId: 'c1', name: null, parts: text('one'), isError: false },
      { role: 'tool', callId: 'c2', name: null, parts: text('two'), isError: false },
      { role: 'system', developer: true, parts: text('note') },
      { role: 'user', parts: text('on') },
    ]);
  });

  test('images and files come as URLs, base64 or ids', () => {
    const content = [
      { type: 'input_image', image_url: 'https://x.test/a.png', detail: 'low' },
      { type: 'input_image', image_url: 'data:image/png;base64,AAAA' },
      { type: 'input_file', file_id: 'file_1' },
      { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,BBBB' },
    ];
    expect(decode({ input: [{ role: 'user', content }] }).turns[0]).toEqual({
      role: 'user',
      parts: [
        { type: 'image', source: { kind: 'url', url: 'https://x.test/a.png', mediaType: null }, detail: 'low' },
        { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' } },
        { type: 'file', source: { kind: 'file', id: 'file_1' }, name: null },
        { type: 'file', source: { kind: 'base64', mediaType: 'application/pdf', data: 'BBBB' }, name: 'a.pdf' },
      ],
    });
    expect(refusal({ input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'file:///etc/passwd' }] }] }).param).toBe(
      'input[0].content[0].image_url',
    );
  });

  test('unknown items and parts are named', () => {
    expect(refusal({ input: [{ type: 'compaction', encrypted_content: 'x' }] }).message).toContain('compaction');
    expect(refusal({ input: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }] }).message).toContain('"text"');
    expect(refusal({ input: [{ role: 'tool', content: 'x' }] }).param).toBe('input[0].role');
  });

  test("calls of the provider's own tools in the history are left out and named", () => {
    const { turns, leftOut } = decode({
      input: [
        { type: 'web_search_call', id: 'ws_1', status: 'completed' },
        { role: 'user', content: 'x' },
      ],
    });
    expect(turns).toHaveLength(1);
    expect(leftOut).toEqual(['web_search_call']);
  });
});

describe('state that is kept nowhere', () => {
  test.each([
    ['previous_response_id', 'resp_1'],
    ['conversation', 'conv_1'],
    ['prompt', { id: 'pmpt_1' }],
  ])('%s is refused', (field, value) => {
    expect(refusal({ [field]: value }).param).toBe(field);
  });

  test('responses in the background are refused before anything is sent, whoever would make them', () => {
    expect(() => responsesSurface.decodeRequest({ model: 'p/m', input: 'x', background: true }, 1)).toThrow(/background/);
    expect(decode({ background: false, store: false, previous_response_id: null }).leftOut).toEqual([]);
  });

  test('store, truncation and what is unknown are left out and named', () => {
    expect(decode({ store: true, truncation: 'auto', prompt_cache_key: 'k', reasoning: { effort: 'low', mode: 'x' } }).leftOut).toEqual([
      'prompt_cache_key',
      'store',
      'truncation',
      'reasoning.mode',
    ]);
  });
});

describe('tools', () => {
  test('functions keep their schema and its order', () => {
    const parameters = { type: 'object', properties: { b: {}, a: {} } };
    expect(decode({ tools: [{ type: 'function', name: 'f', description: null, parameters, strict: null }] }).tools).toEqual([
      { name: 'f', description: null, parameters, strict: null },
    ]);
  });

  test('a custom tool is a function of one text, told its grammar', () => {
    const format = { type: 'grammar', syntax: 'lark', definition: 'start: "x"' };
    const input = [
      { type: 'custom_tool_call', call_id: 'c', name: 'apply_patch', input: '*** Begin' },
      { type: 'custom_tool_call_output', call_id: 'c', output: 'done' },
    ];
    const { tools, turns } = decode({ tools: [{ type: 'custom', name: 'apply_patch', description: 'Edits.', format }], input });
    expect(tools[0]).toMatchObject({ name: 'apply_patch', parameters: { required: ['input'] } });
    expect(tools[0]!.description).toContain('start: "x"');
    expect(turns[0]).toMatchObject({ parts: [{ type: 'tool_call', arguments: '{"input":"*** Begin"}' }] });
    expect(turns[1]).toMatchObject({ role: 'tool', callId: 'c' });
  });

  test('tools that the provider would run are left out and named; forcing one is refused', () => {
    const tools = [{ type: 'web_search' }, { type: 'mcp' }, { type: 'function', name: 'f' }];
    expect(decode({ tools })).toMatchObject({ tools: [{ name: 'f' }], leftOut: ['web_search', 'mcp'] });
    expect(refusal({ tools, tool_choice: { type: 'web_search' } }).param).toBe('tool_choice');
  });

  test('every way to choose', () => {
    const choose = (tool_choice: unknown) => decode({ tool_choice }).toolChoice;
    expect(choose(undefined)).toBeNull();
    expect(choose('required')).toEqual({ type: 'required' });
    expect(choose({ type: 'function', name: 'f' })).toEqual({ type: 'tool', name: 'f' });
    expect(choose({ type: 'custom', name: 'p' })).toEqual({ type: 'tool', name: 'p' });
    expect(choose({ type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'f' }] })).toEqual({
      type: 'allowed',
      names: ['f'],
      required: true,
    });
    expect(refusal({ tool_choice: 'sometimes' }).param).toBe('tool_choice');
  });
});

test('what is asked of the answer', () => {
  const schema = { type: 'object' };
  const format = { type: 'json_schema', name: 'n', schema, strict: true };
  expect(decode({ text: { format, verbosity: 'low' }, temperature: 0.5, parallel_tool_calls: false })).toMatchObject({
    format: { type: 'json_schema', name: 'n', description: null, schema, strict: true },
    settings: { verbosity: 'low', temperature: 0.5 },
    parallelToolCalls: false,
  });
  expect(decode({ text: { format: { type: 'text' } } }).format).toBeNull();
  expect(decode({ top_logprobs: 3, include: ['message.output_text.logprobs'] }).settings).toMatchObject({ logprobs: true, topLogprobs: 3 });
  expect(refusal({ temperature: 'hot' }).param).toBe('temperature');
  expect(refusal({ text: { format: { type: 'xml' } } }).param).toBe('text.format.type');
});

test('an effort of none is thinking off, and no word on it is none', () => {
  expect(decode({}).thinking).toBeNull();
  expect(decode({ reasoning: {} }).thinking).toBeNull();
  expect(decode({ reasoning: { effort: 'none' } }).thinking).toEqual({ level: 'off', budgetTokens: null, show: null });
  expect(decode({ reasoning: { effort: 'high', summary: 'auto' } }).thinking).toEqual({ level: 'high', budgetTokens: null, show: true });
  expect(refusal({ reasoning: { effort: 'huge' } }).param).toBe('reasoning.effort');
});

describe("another vendor's state", () => {
  test.each([
    { origin: 'anthropic', signature: 'sig+/=', redacted: null, id: null, call: false },
    { origin: 'anthropic', signature: null, redacted: 'data', id: null, call: false },
    { origin: 'gemini', signature: 'sig', redacted: null, id: null, call: true },
    { origin: 'openai', signature: 'gAAAA', redacted: null, id: null, call: false },
  ] as const)('goes to the client and comes back the same: %o', (state) => {
    expect(stateIn(encryptedContent(state)!)).toEqual(state);
  });

  test('that was changed on its way is dropped', () => {
    expect(stateIn('weir.nonsense')).toBeNull();
  });

  test('of a call is put back on it', () => {
    const encrypted_content = encryptedContent({ origin: 'gemini', signature: 'sig', redacted: null, id: null, call: true });
    const { turns } = decode({
      input: [{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content }, call('c', 'f'), call('d', 'f')],
    });
    expect(turns).toEqual([
      {
        role: 'assistant',
        parts: [
          { type: 'tool_call', id: 'c', name: 'f', arguments: '{}', signature: 'sig' },
          { type: 'tool_call', id: 'd', name: 'f', arguments: '{}' },
        ],
      },
    ]);
  });
});

describe('what policy and money need', () => {
  test.each([
    [{ input: 'x', api_base: 'http://x' }, 'api_base'],
    [{ input: 5 }, 'input'],
    [{ input: [] }, 'input'],
    [{}, 'input'],
    [{ input: 'x', max_output_tokens: 0 }, 'max_output_tokens'],
    [{ input: 'x', stream: 'yes' }, 'stream'],
    [{ input: 'x', model: 'a b' }, 'model'],
    [{ input: 'x', safety_identifier: '*' }, 'safety_identifier'],
  ])('%o is refused by name', (body, param) => {
    expect(() => responsesSurface.decodeRequest(body, 1)).toThrow(expect.objectContaining({ param }));
  });

  test('is read', () => {
    const body = { model: 'openai/gpt-5', previous_response_id: 'r', stream: true, max_output_tokens: 50, safety_identifier: 'u' };
    expect(responsesSurface.decodeRequest(body, 9)).toMatchObject({
      model: 'openai/gpt-5',
      stream: true,
      maxOutputTokens: 50,
      endUser: 'u',
      inputTokensBound: 9,
    });
  });
});
