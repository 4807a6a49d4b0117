import type { DialectName, StateMemory } from './dialect.js';
import { conversationIn } from './registry.js';

const STATE = { reasoning: [], signatures: ['S'.repeat(700)] };
const memory: StateMemory = { recall: () => STATE, keep: () => {} };
const IDENTITY = { id: 'x1', createdAt: 5, model: 'm' };

const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
const BODY = {
  model: 'p/m',
  messages: [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'c1', content: 'x' },
  ],
  tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
};

function added(dialect: DialectName, more: { nativeTools?: boolean; memory?: StateMemory; body?: object } = {}): number {
  const { decodeRequest, open } = conversationIn('openai-chat');
  const prompt = decodeRequest({ ...BODY, ...more.body }, 500);
  const quirks = more.nativeTools === undefined ? {} : { nativeTools: more.nativeTools };
  const spoken = { dialects: [dialect], thinkingLevel: null, quirks, ...(more.memory && { memory: more.memory }) };
  return open(prompt, spoken, IDENTITY).addedInputTokens;
}

test('state that is put back is held for, as it is no part of what the client sent', () => {
  expect(added('gemini', { memory }) - added('gemini')).toBeGreaterThan(700);
});

test.each<[string, DialectName, { nativeTools?: boolean; body?: object }]>([
  ['the format is the same on both sides', 'openai-chat', {}],
  ['tools are prompted', 'gemini', { nativeTools: false }],
  ['there are no tools', 'gemini', { body: { tools: [] } }],
])('none is put back where %s', (_name, dialect, more) => expect(added(dialect, { ...more, memory })).toBe(added(dialect, more)));

test('a tool that comes with its schema is held for as it is, also where a Messages client names its type', () => {
  const { decodeRequest, open } = conversationIn('anthropic-messages');
  const of = (more: object) => {
    const tool = { name: 'f', input_schema: { type: 'object' }, ...more };
    const body = { model: 'p/m', max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }], tools: [tool] };
    return open(decodeRequest(body, 500), { dialects: ['openai-chat'], thinkingLevel: null, quirks: {} }, IDENTITY).addedInputTokens;
  };
  expect(of({ type: 'custom' })).toBe(of({}));
});
