import type { UpstreamParams } from '../dialect.js';
import { sealState } from '../kit/sealed-state.js';
import { messagesSurface, messagesVerbatim } from './index.js';

const BODY = {
  future: { a: [1] },
  model: 'anthropic/m',
  max_tokens: 9000,
  messages: [{ role: 'user', content: [{ type: 'new_block', x: 1 }] }],
};

function encode(fields: object, rewrite: Partial<UpstreamParams> = {}, betas: string[] = []) {
  const prompt = { ...messagesSurface.decodeRequest({ ...BODY, ...fields }, 64), betas };
  const request = messagesVerbatim.encodeRequest(prompt, {
    model: 'claude-sonnet-4-5',
    maxOutputTokens: 5000,
    thinkingLevel: null,
    quirks: {},
    ...rewrite,
  });
  return { ...request, sent: JSON.parse(request.body) };
}

test('only the model and the output limit are changed; what is not known stays in its place', () =>
  expect(encode({ stream: true }).body).toBe(JSON.stringify({ ...BODY, model: 'claude-sonnet-4-5', max_tokens: 5000, stream: true })));

test('betas go to the provider', () =>
  expect(encode({}, {}, ['a-1', 'b-2']).headers).toEqual(['anthropic-version', '2023-06-01', 'anthropic-beta', 'a-1,b-2']));

test("the caller's setting is added where the client says nothing of thinking", () => {
  expect(encode({}, { thinkingLevel: 'low' })).toMatchObject({
    sent: { thinking: { type: 'enabled', budget_tokens: 2048 } },
    thinkingLevel: 'low',
  });
  const adaptive = encode({ output_config: { task_budget: 1 } }, { thinkingLevel: 'high', model: 'claude-opus-5' });
  expect(adaptive.sent.output_config).toEqual({ task_budget: 1, effort: 'high' });
  for (const own of [{ thinking: { type: 'newest' } }, { output_config: { effort: 'low' } }])
    expect(encode(own, { thinkingLevel: 'high' }).sent).toMatchObject(own);
  expect(encode({ thinking: { type: 'disabled' } }, { thinkingLevel: 'high' }).thinkingLevel).toBe('off');
});

test.each([
  ['a forced call', { tool_choice: { type: 'any' } }],
  ['a temperature', { temperature: 0.5 }],
  [
    'calls that began without thinking',
    {
      messages: [
        { role: 'assistant', content: [{ type: 'tool_use' }] },
        { role: 'user', content: [{ type: 'tool_result' }] },
      ],
    },
  ],
])('the setting is left out beside %s, which the provider would refuse with it', (_name, fields) => {
  const { sent, warnings, thinkingLevel } = encode(fields, { thinkingLevel: 'low' });
  expect([sent.thinking, warnings.length, thinkingLevel]).toEqual([undefined, 1, null]);
});

test("thinking of other vendors' models does not go to Claude, signed thinking does", () => {
  const own = { type: 'thinking', thinking: '', signature: 's==' };
  const sealed = sealState({ origin: 'gemini', signature: 'g', redacted: null, id: null, call: true });
  const messages = [
    { role: 'assistant', content: [{ type: 'thinking', thinking: 'x', signature: '' }, own, { type: 'text', text: 'A' }] },
    { role: 'assistant', content: [{ type: 'thinking', thinking: '', signature: sealed }] },
    { role: 'user', content: 'B' },
  ];
  expect(encode({ messages }).sent.messages).toEqual([
    { role: 'assistant', content: [own, { type: 'text', text: 'A' }] },
    { role: 'user', content: 'B' },
  ]);
  expect(encode({ messages }, { model: 'kimi-k2' }).sent.messages[0].content).toHaveLength(3);
});

test.each([
  [{ event: 'message_stop', data: '{"type":"message_stop"}' }, true],
  [{ event: null, data: '{"type": "message_stop" }' }, true],
  [{ event: 'message_delta', data: '{"type":"message_delta"}' }, false],
  [{ event: null, data: '{"type":"content_block_delta","delta":{"text":"\\"type\\":\\"message_stop\\""}}' }, false],
])('%j is the tail: %j', (frame, tail) => expect(messagesVerbatim.isTail(frame)).toBe(tail));
