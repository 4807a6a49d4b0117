import { rulesOf } from '../model-rules/index.js';
import { catalogdFacts } from './catalog.js';

test.each([
  ['gpt-4o', { contextWindow: 128_000, maxOutputTokens: 16_384, tools: true, vision: true, reasoning: false }],
  ['gpt-4o-2024-05-13', { maxOutputTokens: 4_096 }],
  ['openai/gpt-4.1-mini', { contextWindow: 1_047_576, maxOutputTokens: 32_768 }],
  ['gpt-5', { contextWindow: 400_000, maxOutputTokens: 128_000, reasoning: true }],
  ['gpt-3.5-turbo-0125', { contextWindow: 16_385, vision: false, tools: true }],
  ['o1-mini', { tools: false, vision: false, reasoning: true }],
  ['o3', { contextWindow: 200_000, maxOutputTokens: 100_000, vision: true }],
  ['claude-opus-4-1-20250805', { maxOutputTokens: 32_000, tools: true, vision: true, reasoning: true }],
  ['us.anthropic.claude-3-haiku-20240307-v1:0', { maxOutputTokens: 4_096, reasoning: false }],
  ['gemini-2.5-flash-lite', { contextWindow: 1_048_576, maxOutputTokens: 65_536, reasoning: true }],
  ['meta-llama/llama-3.1-8b-instruct', { vision: false, reasoning: false, tools: null }],
  ['llama-3.2-90b-vision-instruct', { vision: true }],
  ['text-embedding-3-small', { tools: false, vision: false }],
])('%s is known by its name, in any form', (model, facts) => expect(rulesOf(model).facts).toMatchObject(facts));

test.each([
  'my-model',
  'gpt-7',
  'claude-opus-9',
  'gpt-4o-audio-preview',
  'llama-9',
  'gemini-2.5-flash-image',
  'gpt-4-0125-preview',
  'gpt-5-pro',
])('%s is not known, and nothing is made up', (model) =>
  expect(rulesOf(model).facts).toEqual({ contextWindow: null, maxOutputTokens: null, tools: null, vision: null, reasoning: null }),
);

test('a context window that no family has is the one of the price catalog', () => {
  expect(catalogdFacts('anthropic', 'claude-opus-4-1').contextWindow).toBe(200_000);
  expect(catalogdFacts('mistral', 'ministral-8b-2512').contextWindow).toBe(262_144);
  expect(catalogdFacts('anthropic', 'claude-opus-4-1-20250805').contextWindow).toBe(200_000);
  expect(catalogdFacts(null, 'claude-opus-4-1').contextWindow).toBeNull();
});

test('the facts of a model are one object, looked up once', () => {
  expect(catalogdFacts('openai', 'gpt-4o')).toBe(catalogdFacts('openai', 'gpt-4o'));
});
