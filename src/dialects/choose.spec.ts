import { chooseDialect } from './choose.js';
import type { CallRequest } from './dialect.js';

const OPENAI = ['openai-chat', 'openai-responses', 'openai-completions'] as const;

const prompt = (body: Record<string, unknown> = {}): CallRequest => ({
  model: 'p/m',
  stream: false,
  includeUsage: false,
  maxOutputTokens: null,
  choices: 1,
  endUser: null,
  inputTokensBound: 1,
  body,
  betas: [],
});
const TOOLS = { tools: [{ type: 'function', function: { name: 'f' } }] };

test("the client's own format is spoken where the provider speaks it", () => {
  expect(chooseDialect(OPENAI, 'openai-chat', 'gpt-4o', prompt())).toBe('openai-chat');
  expect(chooseDialect(OPENAI, 'openai-responses', 'gpt-4o', prompt())).toBe('openai-responses');
  expect(chooseDialect(['openai-chat', 'anthropic-messages'], 'anthropic-messages', 'glm-5', prompt())).toBe('anthropic-messages');
});

test("else the provider's first", () => {
  expect(chooseDialect(OPENAI, 'anthropic-messages', 'gpt-4o', prompt())).toBe('openai-chat');
  expect(chooseDialect(['gemini'], 'openai-responses', 'gemini-3-pro', prompt())).toBe('gemini');
});

test('function tools go to /responses where chat would refuse them', () => {
  expect(chooseDialect(OPENAI, 'openai-chat', 'gpt-5.6-sol', prompt(TOOLS))).toBe('openai-responses');
  expect(chooseDialect(OPENAI, 'anthropic-messages', 'gpt-6.1-sol', prompt(TOOLS))).toBe('openai-responses');
  expect(chooseDialect(OPENAI, 'openai-chat', 'gpt-5.6-sol', prompt())).toBe('openai-chat');
  expect(chooseDialect(OPENAI, 'openai-chat', 'gpt-5.6-sol', prompt({ ...TOOLS, reasoning_effort: 'none' }))).toBe('openai-chat');
  expect(chooseDialect(OPENAI, 'openai-chat', 'gpt-5.4', prompt({ ...TOOLS, reasoning_effort: 'low' }))).toBe('openai-responses');
  expect(chooseDialect(OPENAI, 'anthropic-messages', 'gpt-5.4', prompt({ ...TOOLS, thinking: { type: 'adaptive' } }))).toBe(
    'openai-responses',
  );
  expect(chooseDialect(OPENAI, 'anthropic-messages', 'gpt-5.6', prompt({ ...TOOLS, thinking: { type: 'disabled' } }))).toBe('openai-chat');
  expect(chooseDialect(OPENAI, 'openai-chat', 'gpt-5.4', prompt(TOOLS), 'low')).toBe('openai-responses');
  expect(chooseDialect(OPENAI, 'openai-chat', 'gpt-5.4', prompt(TOOLS), 'off')).toBe('openai-chat');
});

test('a provider without /responses is sent chat all the same', () => {
  expect(chooseDialect(['openai-chat'], 'openai-chat', 'gpt-5.6-sol', prompt(TOOLS))).toBe('openai-chat');
});

test('models that only /responses serves are asked there', () => {
  for (const model of ['gpt-5.5-pro', 'gpt-5.3-codex', 'o3-deep-research'])
    expect(chooseDialect(OPENAI, 'openai-chat', model, prompt())).toBe('openai-responses');
});

test('/completions is for models made for it', () => {
  expect(chooseDialect(OPENAI, 'openai-completions', 'gpt-3.5-turbo-instruct', prompt())).toBe('openai-completions');
  expect(chooseDialect(OPENAI, 'openai-completions', 'gpt-4o', prompt())).toBe('openai-chat');
});
