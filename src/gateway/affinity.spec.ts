import { affinityOf } from './affinity.js';

const of = (body: Record<string, unknown>) => affinityOf({ body });
const user = { role: 'user', content: 'What is a weir?' };
const assistant = { role: 'assistant', content: 'A low dam.' };

test('all turns of a conversation with sealed state have the same', () => {
  const first = of({ reasoning_effort: 'high', messages: [user] });
  expect(first).toContain('What is a weir?');
  expect(of({ reasoning_effort: 'high', messages: [user, assistant, { role: 'user', content: 'Thanks' }] })).toBe(first);
});

test('turns of a plain conversation have the same from its first answer on', () => {
  const second = of({ messages: [user, assistant, { role: 'user', content: 'Thanks' }] });
  expect(second).not.toBeNull();
  expect(of({ messages: [user, assistant, { role: 'user', content: 'Thanks' }, assistant, user] })).toBe(second);
});

test.each([
  ['Responses', { include: ['reasoning.encrypted_content'], instructions: 'Be short', input: 'What is a weir?' }],
  ['Responses, as items', { reasoning: {}, input: [{ role: 'user', content: [{ type: 'input_text', text: 'What is a weir?' }] }] }],
  [
    'Messages',
    {
      thinking: { type: 'enabled' },
      system: 'Be short',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'What is a weir?' }] }],
    },
  ],
])('%s: the beginning counts', (_, body) => expect(of(body)).toContain('What is a weir?'));

test('the client’s own word goes first', () => expect(of({ prompt_cache_key: 'a', messages: [user, assistant] })).toBe('a'));

test.each([
  ['a single plain turn', { messages: [user] }],
  ['nothing to read', { messages: [{ role: 'assistant', content: null }] }],
  ['odd turns', { messages: [null, 5, 'x', { role: 'assistant' }] }],
  ['no turns', { prompt: 'What is a weir?' }],
])('%s: none', (_, body) => expect(of(body)).toBeNull());
