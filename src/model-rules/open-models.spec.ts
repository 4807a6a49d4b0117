import { rulesOf } from './index.js';

test.each([
  'llama3',
  'llama3.1:70b',
  'llama3.2-vision',
  '@cf/meta/llama-3.3-70b-instruct-fp8-fast',
  '@cf/meta/llama-4-scout-17b-16e-instruct',
  'codellama:7b',
  'mistral',
  'mistral:7b-instruct',
  'mixtral:8x7b',
  '@cf/mistralai/mistral-small-3.1-24b-instruct',
  'gemma2:9b',
  'gemma3:27b',
  '@hf/google/gemma-7b-it',
  'phi3',
  'phi4:14b',
  'qwen2.5-coder:32b',
  '@cf/qwen/qwen1.5-14b-chat-awq',
  'deepseek-coder:6.7b',
  'tinyllama',
  'nomic-embed-text',
])('%s is not asked to think', (model) => expect(rulesOf(model).open.thinking !== 'none').toBe(false));

test.each([
  'qwen3:8b',
  'qwen3-coder:30b',
  '@cf/qwen/qwq-32b',
  'deepseek-r1:8b',
  'deepseek-v3.1:671b-cloud',
  'gpt-oss:20b',
  '@cf/openai/gpt-oss-120b',
  'magistral:24b',
  'phi4-reasoning:14b',
  'gemma4:27b',
  'glm-4.6:cloud',
  '@cf/zai-org/glm-4.7-flash',
  '@cf/moonshotai/kimi-k2.5',
  'something-new',
])('%s may be', (model) => expect(rulesOf(model).open.thinking !== 'none').toBe(true));

test('gpt-oss is asked by effort', () => {
  expect(rulesOf('gpt-oss:120b').open.thinking === 'effort').toBe(true);
  expect(rulesOf('qwen3:8b').open.thinking === 'effort').toBe(false);
});
