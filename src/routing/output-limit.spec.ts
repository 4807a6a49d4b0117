import { outputLimit } from './output-limit.js';

test.each([
  'gpt-5.4',
  'o3',
  'openai/gpt-oss-120b',
  'gemini-2.5-pro',
  'gemini-4-hydrogen',
  'claude-opus-5',
  'us.anthropic.claude-sonnet-5-5',
  'claude-fable-5-1',
])('%s thinks before it answers, so its default leaves room for both', (model) => expect(outputLimit(model, null, null)).toBe(16_384));

test.each(['gpt-4o', 'claude-sonnet-4-5', 'gemini-2.0-flash', 'llama-3.3-70b'])('%s does not', (model) =>
  expect(outputLimit(model, null, null)).toBe(4_096),
);

test('the least of what the client and its key say counts, whatever the model', () => {
  expect([outputLimit('o3', 100, 50), outputLimit('o3', 100, null), outputLimit('gpt-4o', null, 9_000), outputLimit('o3', 0, 50)]).toEqual([
    50, 100, 9_000, 0,
  ]);
});
