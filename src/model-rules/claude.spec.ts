import { rulesOf } from './index.js';
import { readName } from './name.js';

describe('a model id is read whatever form a provider gives it', () => {
  test.each([
    ['claude-opus-5-5', 'opus-5-5'],
    ['claude-opus-5.5', 'opus-5-5'],
    ['anthropic/claude-opus-5.5', 'opus-5-5'],
    ['us.anthropic.claude-opus-5-5', 'opus-5-5'],
    ['global.anthropic.claude-sonnet-5-5-20260928-v1:0', 'sonnet-5-5'],
    ['claude-opus-5-20260901', 'opus-5'],
    ['claude-opus-5', 'opus-5'],
    ['claude-haiku-4-5@20251001', 'haiku-4-5'],
    ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'sonnet-4-5'],
    ['anthropic.claude-opus-4-6-v1', 'opus-4-6'],
    ['claude-sonnet-4-0', 'sonnet-4'],
    ['claude-sonnet-4-20250514', 'sonnet-4'],
    ['claude-3-7-sonnet-latest', 'sonnet-3-7'],
    ['anthropic.claude-3-5-sonnet-20240620-v1:0', 'sonnet-3-5'],
    ['claude-3-haiku-20240307', 'haiku-3'],
    ['claude-fable-5-1', 'fable-5-1'],
  ])('%s is %s', (id, name) => expect(readName(id).claude).toBe(name));

  test('a Claude that is not known has the newest rules', () => {
    for (const id of ['claude-opus-7', 'claude-opus-5-6', 'eu.anthropic.claude-saga-9-20300101', 'claude-next'])
      expect(rulesOf(id).claude).toMatchObject({ thinking: 'adaptive', sampling: 'none', forcedTool: false });
  });

  test("other vendors' models keep sampling and forced calls, and think by a budget", () => {
    for (const id of ['kimi-k2', 'glm-4.6', 'MiniMax-M2'])
      expect(rulesOf(id).claude).toMatchObject({ thinking: 'budget', sampling: 'all', forcedTool: true, nativeSchema: false });
  });

  test('the oldest have no thinking at all', () => expect(rulesOf('claude-2.1').claude.thinking).toBe('none'));
});
