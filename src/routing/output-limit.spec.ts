import { outputLimit } from './output-limit.js';

const UNKNOWN = { maxOutputTokens: null, reasoning: null };

test.each([
  'gpt-5.4',
  'o3',
  'openai/gpt-oss-120b',
  'gemini-2.5-pro',
  'gemini-4-hydrogen',
  'claude-opus-5',
  'us.anthropic.claude-sonnet-5-5',
  'claude-fable-5-1',
])('%s thinks before it answers, so its default leaves room for both', (model) =>
  expect(outputLimit(model, null, null, UNKNOWN)).toBe(16_384),
);

test.each(['gpt-4o', 'claude-sonnet-4-5', 'gemini-2.0-flash', 'llama-3.3-70b'])('%s does not', (model) =>
  expect(outputLimit(model, null, null, UNKNOWN)).toBe(4_096),
);

test('the least of what the client and its key say counts, whatever the model', () => {
  const limits = [
    outputLimit('o3', 100, 50, UNKNOWN),
    outputLimit('o3', 100, null, UNKNOWN),
    outputLimit('gpt-4o', null, 9_000, UNKNOWN),
    outputLimit('o3', 0, 50, UNKNOWN),
  ];
  expect(limits).toEqual([50, 100, 9_000, 0]);
});

test('what a model is known to give at most bounds what is asked for, and the default', () => {
  const known = { maxOutputTokens: 2_000, reasoning: null };
  expect([outputLimit('m', 9_000, null, known), outputLimit('m', 100, null, known), outputLimit('o3', null, null, known)]).toEqual([
    2_000, 100, 2_000,
  ]);
});

test('what is known of a model says more than its name', () => {
  const limitIf = (reasoning: boolean) => outputLimit('o3', null, null, { maxOutputTokens: null, reasoning });
  expect([limitIf(true), limitIf(false)]).toEqual([16_384, 4_096]);
});
