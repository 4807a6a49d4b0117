import { WeirError } from '../../../kernel/errors.js';
import type { Conversation } from '../../canonical.js';
import { isSealed, openState, sealState } from '../../kit/sealed-state.js';
import { decodeCountAnswer, decodeCountRequest, encodeCountAnswer, encodeCountRequest, messagesSurface } from '../index.js';

const BODY = { model: 'anthropic/claude-opus-5', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] };
const decode = (fields: object): Conversation =>
  messagesSurface.decodeConversation(messagesSurface.decodeRequest({ ...BODY, ...fields }, 64));
const turnsOf = (...messages: object[]) => decode({ messages }).turns;
const state = { origin: null, signature: null, redacted: null, id: null };

describe('request', () => {
  test('what policy and money need is read, and nothing is changed', () => {
    const body = { ...BODY, stream: true, metadata: { user_id: 'ann' }, future: 1 };
    expect(messagesSurface.decodeRequest(body, 64)).toMatchObject({
      model: 'anthropic/claude-opus-5',
      stream: true,
      maxOutputTokens: 10,
      choices: 1,
      endUser: 'ann',
      inputTokensBound: 64,
      body,
      betas: [],
    });
  });

  test.each([
    ['max_tokens', { max_tokens: undefined }],
    ['max_tokens', { max_tokens: 0 }],
    ['max_tokens', { max_tokens: 1.5 }],
    ['max_tokens', { max_tokens: '10' }],
    ['messages', { messages: [] }],
    ['messages', { messages: 'Hi' }],
    ['messages[0]', { messages: [7] }],
    ['messages[0].role', { messages: [{ role: 'tool', content: 'x' }] }],
    ['stream', { stream: 'yes' }],
    ['model', { model: 'a b' }],
    ['metadata.user_id', { metadata: { user_id: '\u0000' } }],
    ['base_url', { base_url: 'https://example.com' }],
    ['temperature', { temperature: 'hot' }],
    ['stop_sequences', { stop_sequences: [1] }],
    ['tools[0].name', { tools: [{ input_schema: {} }] }],
    ['tool_choice.type', { tool_choice: { type: 'some' } }],
    ['thinking.type', { thinking: { type: 'deep' } }],
    ['output_config.format.type', { output_config: { format: { type: 'xml' } } }],
    ['messages[0].content', { messages: [{ role: 'user', content: 7 }] }],
    ['messages[0].content[0].type', { messages: [{ role: 'user', content: [{ type: 'hologram' }] }] }],
    ['messages[0].content[0].source.type', { messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'ftp' } }] }] }],
    ['messages[0].content[0].type', { messages: [{ role: 'assistant', content: [{ type: 'compaction', content: 'x' }] }] }],
  ])('a bad %s is refused by its path', (param, fields) => {
    expect(() => decode(fields)).toThrow(WeirError);
    expect(() => decode(fields)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  test('a body that is no object is refused', () => expect(() => messagesSurface.decodeRequest([], 2)).toThrow(WeirError));
});

describe('conversation', () => {
  test('the instruction is the first turn, without the note that differs in each request', () =>
    expect(
      decode({
        system: [
          { type: 'text', text: 'x-anthropic-billing-header: cc_version=2; cch=ab12;' },
          { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } },
        ],
      }).turns[0],
    ).toEqual({ role: 'system', developer: false, parts: [{ type: 'text', text: 'Be brief.', cache: { ttl: '1h' } }] }));

  test('results come before what the user says beside them', () =>
    expect(
      turnsOf(
        { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: { z: 1, a: 2 } }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'And?' },
            { type: 'tool_result', tool_use_id: 'a', is_error: true, content: [{ type: 'text', text: 'no' }] },
          ],
        },
      ),
    ).toEqual([
      { role: 'assistant', parts: [{ type: 'tool_call', id: 'a', name: 'f', arguments: '{"z":1,"a":2}' }] },
      { role: 'tool', callId: 'a', name: null, parts: [{ type: 'text', text: 'no' }], isError: true },
      { role: 'user', parts: [{ type: 'text', text: 'And?' }] },
    ]));

  test("Claude's own thinking keeps its state; unsigned thinking is plain text", () =>
    expect(
      turnsOf({
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: '', signature: 's==' },
          { type: 'redacted_thinking', data: 'r' },
          { type: 'thinking', thinking: 'Hm', signature: '' },
        ],
      }),
    ).toMatchObject([
      {
        parts: [
          { origin: 'anthropic', signature: 's==', text: '' },
          { origin: 'anthropic', redacted: 'r' },
          { ...state, text: 'Hm' },
        ],
      },
    ]));

  test("state of other vendors' models comes back through a thinking block", () => {
    const openai = sealState({ origin: 'openai', signature: 'enc', redacted: null, id: 'rs_1', call: false });
    const gemini = sealState({ origin: 'gemini', signature: 'g==', redacted: null, id: null, call: true });
    expect(
      turnsOf({
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm', signature: openai },
          { type: 'thinking', thinking: '', signature: gemini },
          { type: 'tool_use', id: 'a', name: 'f', input: {} },
          { type: 'tool_use', id: 'b', name: 'f', input: {} },
        ],
      })[0],
    ).toEqual({
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'Hm', origin: 'openai', signature: 'enc', redacted: null, id: 'rs_1' },
        { type: 'tool_call', id: 'a', name: 'f', arguments: '{}', signature: 'g==' },
        { type: 'tool_call', id: 'b', name: 'f', arguments: '{}' },
      ],
    });
  });

  test('damaged state is no state, and is not taken for a signature of Claude', () => {
    for (const signature of ['weir.', 'weir.bm9wZQ', 'weir.e30']) {
      expect([isSealed(signature), openState(signature)]).toEqual([true, null]);
      expect(turnsOf({ role: 'assistant', content: [{ type: 'thinking', thinking: 'Hm', signature }] })).toMatchObject([
        { parts: [state] },
      ]);
    }
  });

  test('what only Anthropic can run is left out by name', () => {
    const { tools, leftOut, turns } = decode({
      tools: [
        { type: 'web_search_20250305', name: 'web_search' },
        { name: 'f', input_schema: { type: 'object' } },
      ],
      context_management: {},
      messages: [
        { role: 'user', content: 'Hi' },
        {
          role: 'assistant',
          content: [
            { type: 'server_tool_use', id: 's', name: 'web_search', input: {} },
            { type: 'web_search_tool_result', content: [] },
            { type: 'text', text: 'So' },
          ],
        },
      ],
    });
    expect(tools.map(({ name }) => name)).toEqual(['f']);
    expect(turns[1]).toMatchObject({ parts: [{ text: 'So' }] });
    expect(leftOut).toEqual([
      'context_management',
      'messages: server_tool_use',
      'messages: web_search_tool_result',
      'tools: web_search_20250305',
    ]);
  });

  test.each([
    [{ thinking: { type: 'disabled' } }, { level: 'off', budgetTokens: null, show: null }],
    [{ thinking: { type: 'adaptive' } }, { level: null, budgetTokens: null, show: null }],
    [
      { thinking: { type: 'adaptive', display: 'summarized' }, output_config: { effort: 'max' } },
      { level: 'max', budgetTokens: null, show: true },
    ],
    [{ thinking: { type: 'enabled', budget_tokens: 2000, display: 'omitted' } }, { level: null, budgetTokens: 2000, show: false }],
    [{ output_config: { effort: 'low' } }, { level: 'low', budgetTokens: null, show: null }],
    [{}, null],
  ])('%j asks for %j', (fields, thinking) => expect(decode(fields).thinking).toEqual(thinking));

  test('a mark of the whole request is one of its last block', () =>
    expect(decode({ cache_control: { type: 'ephemeral' } }).turns.at(-1)).toMatchObject({ parts: [{ cache: { ttl: '5m' } }] }));

  test('documents and search results are read', () =>
    expect(
      turnsOf({
        role: 'user',
        content: [
          { type: 'document', title: 'T', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0' } },
          { type: 'document', source: { type: 'content', content: [{ type: 'text', text: 'x' }] } },
          { type: 'search_result', title: 'S', source: 'https://s', content: [{ type: 'text', text: 'y' }] },
        ],
      }),
    ).toMatchObject([
      {
        parts: [
          { type: 'file', name: 'T', source: { kind: 'base64' } },
          { type: 'text', text: 'x' },
          { type: 'text', text: 'S (https://s)\n\ny' },
        ],
      },
    ]));
});

describe('counting tokens', () => {
  const prompt = decodeCountRequest({ model: 'm', messages: BODY.messages, temperature: 1, stream: false, tools: [] }, 5);

  test('no output limit is needed, and fields about the answer are not sent on', () => {
    expect(prompt.maxOutputTokens).toBeNull();
    const { path, body } = encodeCountRequest(prompt, { model: 'claude-opus-5', quirks: {} });
    expect([path, JSON.parse(body)]).toEqual(['/messages/count_tokens', { model: 'claude-opus-5', messages: BODY.messages, tools: [] }]);
  });

  test('a count that is told is read as it was; nonsense is an error', () => {
    expect(decodeCountAnswer(Buffer.from(encodeCountAnswer(42)))).toBe(42);
    for (const body of ['{}', '{"input_tokens":-1}', 'x']) expect(() => decodeCountAnswer(Buffer.from(body))).toThrow('no count');
  });
});
