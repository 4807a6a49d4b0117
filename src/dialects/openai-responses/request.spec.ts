import { conversation as conversationOf } from '../../../test/support/conversations.js';
import { type Conversation, NO_SETTINGS, type Turn } from '../canonical.js';
import type { UpstreamParams } from '../dialect.js';
import { openaiResponses } from './index.js';

const USER: Turn = { role: 'user', parts: [{ type: 'text', text: 'hi' }] };
const CONVERSATION = conversationOf({ turns: [USER] });

function encode(conversation: Partial<Conversation>, rewrite: Partial<UpstreamParams> = {}) {
  const full: UpstreamParams = { model: 'gpt-5.6-sol', maxOutputTokens: 1000, thinkingLevel: null, quirks: {}, ...rewrite };
  const request = openaiResponses.encodeRequest({ ...CONVERSATION, ...conversation }, full);
  return { ...request, sent: JSON.parse(request.body) };
}

const assistant = (...parts: Extract<Turn, { role: 'assistant' }>['parts']): Turn => ({ role: 'assistant', parts });
const call = (id: string, name = 'f') => ({ type: 'tool_call', id, name, arguments: '{"a":1}' }) as const;
const result = (callId: string, value: string): Turn => ({
  role: 'tool',
  callId,
  name: null,
  parts: [{ type: 'text', text: value }],
  isError: false,
});
const thought = (signature: string | null, text = '') =>
  ({ type: 'reasoning', text, origin: signature === null ? null : 'openai', signature, redacted: null, id: 'rs_1' }) as const;

test('nothing is kept at the provider, and the state of reasoning is asked for', () => {
  const { sent, path } = encode({ stream: true });
  expect(path).toBe('/responses');
  expect(sent).toEqual({
    model: 'gpt-5.6-sol',
    input: [{ role: 'user', content: 'hi' }],
    max_output_tokens: 1000,
    include: ['reasoning.encrypted_content'],
    store: false,
    stream: true,
  });
});

test('models that do not reason are not asked for its state, nor are unknown ones before they do', () => {
  expect(encode({}, { model: 'gpt-4o' }).sent.include).toBeUndefined();
  expect(encode({}, { model: 'my-deployment' }).sent.include).toBeUndefined();
  expect(encode({}, { model: 'my-deployment', thinkingLevel: 'low' }).sent.include).toEqual(['reasoning.encrypted_content']);
});

describe('history', () => {
  test('reasoning keeps its place before its call, without its id', () => {
    const turns = [USER, assistant(thought('enc', 'hm'), call('c1'), call('c2')), result('c1', 'one'), result('c2', 'two')];
    expect(encode({ turns }).sent.input).toEqual([
      { role: 'user', content: 'hi' },
      { type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'enc' },
      { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{"a":1}' },
      { type: 'function_call', call_id: 'c2', name: 'f', arguments: '{"a":1}' },
      { type: 'function_call_output', call_id: 'c1', output: 'one' },
      { type: 'function_call_output', call_id: 'c2', output: 'two' },
    ]);
  });

  test('reasoning without a word after it, of another vendor or without state does not go back', () => {
    const foreign = { ...thought('sig'), origin: 'anthropic' } as const;
    const { sent } = encode({ turns: [USER, assistant(foreign, thought(null, 'plain'), { type: 'text', text: 'a' }, thought('enc'))] });
    expect(sent.input.slice(1)).toEqual([{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'a' }] }]);
  });

  test('plain reasoning goes back to providers that want it', () => {
    const { sent } = encode({ turns: [assistant(thought(null, 'plain'), call('c'))] }, { quirks: { reasoningBack: 'always' } });
    expect(sent.input[0]).toEqual({ type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'plain' }] });
  });

  test('texts of different phases stay apart', () => {
    const { sent } = encode({
      turns: [assistant({ type: 'text', text: 'a', phase: 'commentary' }, { type: 'text', text: 'b', phase: 'final_answer' })],
    });
    expect(sent.input.map(({ phase }: { phase: string }) => phase)).toEqual(['commentary', 'final_answer']);
  });

  test('ids too long are shortened alike for call and result', () => {
    const id = `call_${'x'.repeat(300)}`;
    const { sent } = encode({ turns: [assistant(call(id)), result(id, 'r')] });
    expect(sent.input[0].call_id.length).toBeLessThanOrEqual(64);
    expect(sent.input[1].call_id).toBe(sent.input[0].call_id);
  });

  test('ids that come again in a later reply are told apart', () => {
    const turns = [assistant(call('call_0')), result('call_0', 'one'), assistant(call('call_0')), result('call_0', 'two')];
    const ids = encode({ turns }).sent.input.map(({ call_id }: { call_id: string }) => call_id);
    expect(ids).toEqual(['call_0', 'call_0', 'call_0_2', 'call_0_2']);
  });

  test('leading system messages are the instructions; a later one stays where it is', () => {
    const system = (text: string): Turn => ({ role: 'system', developer: false, parts: [{ type: 'text', text }] });
    const { sent } = encode({ turns: [system('a'), system('b'), USER, system('c')] });
    expect(sent.instructions).toBe('a\n\nb');
    expect(sent.input).toEqual([
      { role: 'user', content: 'hi' },
      { role: 'system', content: 'c' },
    ]);
  });

  test('images of a tool stay in its result', () => {
    const image = { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AA' } } as const;
    const turn: Turn = { role: 'tool', callId: 'c', name: null, parts: [{ type: 'text', text: 't' }, image], isError: false };
    expect(encode({ turns: [assistant(call('c')), turn] }).sent.input[1].output).toEqual([
      { type: 'input_text', text: 't' },
      { type: 'input_image', image_url: 'data:image/png;base64,AA' },
    ]);
  });

  test('cache marks go to models that know them', () => {
    const turns: Turn[] = [{ role: 'user', parts: [{ type: 'text', text: 'hi', cache: { ttl: '5m' } }] }];
    expect(encode({ turns }).sent.input[0].content[0].prompt_cache_breakpoint).toEqual({ mode: 'explicit' });
    expect(encode({ turns }, { model: 'gpt-5.5' }).sent.input[0].content).toBe('hi');
  });
});

describe('tools', () => {
  const tool = { name: 'f', description: 'd', parameters: null, strict: null };

  test('are flat, and not strict unless asked', () => {
    expect(encode({ tools: [tool, { ...tool, strict: true }] }).sent.tools).toEqual([
      { type: 'function', name: 'f', description: 'd', parameters: { type: 'object', properties: {} }, strict: false },
      { type: 'function', name: 'f', description: 'd', parameters: { type: 'object', properties: {} }, strict: true },
    ]);
  });

  test('names the provider refuses are changed, alike in tools, choice and history, and can be changed back', () => {
    const { sent, reply } = encode({
      tools: [{ ...tool, name: 'a.b' }],
      toolChoice: { type: 'tool', name: 'a.b' },
      turns: [USER, assistant(call('c', 'a.b'))],
    });
    const name = sent.tools[0].name;
    expect(name).toMatch(/^[\w-]{1,64}$/);
    expect(sent.tool_choice).toEqual({ type: 'function', name });
    expect(sent.input[1].name).toBe(name);
    expect(reply.toolNames.get(name)).toBe('a.b');
  });

  test('may be chosen among', () => {
    const { sent } = encode({ tools: [tool], toolChoice: { type: 'allowed', names: ['f'], required: true }, parallelToolCalls: false });
    expect(sent.tool_choice).toEqual({ type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'f' }] });
    expect(sent.parallel_tool_calls).toBe(false);
  });
});

describe('thinking', () => {
  test("the client's own wish beats the caller's setting", () => {
    const thinking = { level: 'low', budgetTokens: null, show: true } as const;
    const { sent, thinkingLevel } = encode({ thinking }, { thinkingLevel: 'high' });
    expect(sent.reasoning).toEqual({ effort: 'low', summary: 'auto' });
    expect(thinkingLevel).toBe('low');
  });

  test('off is none where there is one, else the lowest, and is told', () => {
    expect(encode({}, { thinkingLevel: 'off' })).toMatchObject({ sent: { reasoning: { effort: 'none' } }, thinkingLevel: 'off' });
    expect(encode({}, { thinkingLevel: 'off', model: 'gpt-6-astra' })).toMatchObject({
      sent: { reasoning: { effort: 'low' } },
      thinkingLevel: 'low',
    });
  });

  test('nothing asked for is nothing sent', () => {
    expect(encode({})).toMatchObject({ thinkingLevel: null });
    expect(encode({}).sent.reasoning).toBeUndefined();
  });
});

describe('settings', () => {
  test('sampling is sent only where the model does not reason', () => {
    const settings = { ...NO_SETTINGS, temperature: 0.2, topP: 0.9 };
    expect(encode({ settings }, { model: 'gpt-4o' }).sent).toMatchObject({ temperature: 0.2, top_p: 0.9 });
    expect(encode({ settings }, { thinkingLevel: 'off' }).sent).toMatchObject({ temperature: 0.2 });
    const { sent, warnings } = encode({ settings });
    expect(sent.temperature).toBeUndefined();
    expect(warnings.join()).toMatch(/temperature.*top_p/);
  });

  test('what the format does not have is left out and named', () => {
    const settings = { ...NO_SETTINGS, seed: 1, topK: 5, serviceTier: 'standard_only' };
    expect(encode({ settings }).warnings.join()).toMatch(/top_k.*seed.*service_tier/);
  });

  test('several answers are refused', () => {
    expect(() => encode({ choices: 2 })).toThrow(/one answer/);
  });

  test('no fewer than 16 tokens are asked for', () => {
    expect(encode({}, { maxOutputTokens: 5 }).sent.max_output_tokens).toBe(16);
  });
});

test('the same conversation is the same bytes', () => {
  const format = { type: 'json_schema', name: 'n', description: null, schema: { b: 1, a: 2 }, strict: null } as const;
  const { body } = encode({ format });
  expect(encode({ format }).body).toBe(body);
  expect(body).toContain('"schema":{"b":1,"a":2}');
});
