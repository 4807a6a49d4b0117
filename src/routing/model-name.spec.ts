import fc from 'fast-check';
import { countedName, faultOf } from './model-name.js';

test.each([
  ['gpt-5', ['GPT-5', 'gpt-5-2025-08-07', 'models/gpt-5', 'gpt-5-latest', 'gpt-5@latest', 'ｇｐｔ-5', 'gpt\u200b-5', 'gpt-5:flex']],
  ['gpt-4', ['gpt-4-0613']],
  ['mistral-large', ['mistral-large-2411', 'mistral-large-latest']],
  ['claude-sonnet-4-5', ['claude-sonnet-4-5-20250929', 'claude-sonnet-4-5@20250929', 'publishers/anthropic/models/claude-sonnet-4-5']],
  [
    'anthropic.claude-sonnet-4-5',
    [
      'anthropic.claude-sonnet-4-5-20250929-v1:0',
      'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
      'arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0',
      'arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0',
    ],
  ],
  ['openai/gpt-5', ['openai/gpt-5:nitro', 'OpenAI/gpt-5:free', 'openai/gpt-5:online']],
  ['llama3', ['llama3:latest']],
])('calls of %s are counted by that name, whichever they ask for', (name, others) => {
  expect(countedName(name)).toBe(name);
  for (const other of others) expect([other, countedName(other)]).toEqual([other, name]);
});

test.each(['deepseek-v3', 'gpt-4.1-mini', 'llama3:70b', 'gemini-1.5-pro-002', 'o3', 'test-model-2026', '2025-08-07', 'mock/日本'])(
  '%s has no other name',
  (model) => expect(countedName(model)).toBe(model),
);

test('a name is counted by itself: what it is counted by has no other', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (model) => countedName(countedName(model)) === countedName(model)));
});

test.each([
  'up/*',
  'gpt-*',
  ' m',
  'm ',
  'm\n',
  'm\u200b',
  'm\ud800',
  'gpt%2D5',
  'm/',
  '/m',
  'a//b',
  '../m',
  'a/./b',
  '@preset/mine',
  'm@preset/mine',
  'm:online',
  'm:nitro',
])('%j is no id of a model', (model) => expect(faultOf(model)).not.toBeNull());

test.each(['m', '日本', 'other/model', 'arn:aws:bedrock:us-east-1::foundation-model/x', '@cf/meta/llama', 'a model.gguf', 'm:free'])(
  '%j may be one',
  (model) => expect(faultOf(model)).toBeNull(),
);
