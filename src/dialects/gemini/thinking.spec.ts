import fc from 'fast-check';
import { type GeminiThinking, rulesOf } from '../../model-rules/index.js';
import { THINKING_LEVELS, type Thinking } from '../canonical.js';
import { thinkingConfig } from './thinking.js';

const asked = (thinking: Partial<Thinking>): Thinking => ({ level: null, budgetTokens: null, show: false, ...thinking });
const applied = (model: string, thinking: Partial<Thinking>) => thinkingConfig(asked(thinking), rulesOf(model).gemini.thinking);

describe('thinking', () => {
  test('nothing is sent when nothing is asked for', () => {
    expect(thinkingConfig(null, rulesOf('gemini-3-pro-preview').gemini.thinking)).toEqual({ config: null, level: null });
  });

  test('nothing is sent to a model that cannot think', () => {
    expect(applied('gemini-2.0-flash', { level: 'high', show: true })).toEqual({ config: null, level: null });
  });

  test.each([
    ['off', 0, 'off'],
    ['minimal', 128, 'minimal'],
    ['low', 2048, 'low'],
    ['medium', 8192, 'medium'],
    ['high', 24_576, 'high'],
    ['xhigh', 24_576, 'high'],
  ] as const)('%s is a budget of %d tokens for Gemini 2.5 Flash', (level, thinkingBudget, told) => {
    expect(applied('gemini-2.5-flash', { level })).toEqual({ config: { thinkingBudget }, level: told });
  });

  test('Gemini 2.5 Pro cannot be off, and thinks more than others at most', () => {
    expect(applied('gemini-2.5-pro', { level: 'off' })).toEqual({ config: { thinkingBudget: 128 }, level: 'minimal' });
    expect(applied('gemini-2.5-pro', { level: 'xhigh' })).toEqual({ config: { thinkingBudget: 32_768 }, level: 'xhigh' });
  });

  test.each([
    ['gemini-3-pro-preview', 'off', 'low'],
    ['gemini-3-pro-preview', 'medium', 'high'],
    ['gemini-3.5-flash', 'off', 'minimal'],
    ['gemini-3.7-flash', 'minimal', 'low'],
    ['gemini-3.7-flash', 'xhigh', 'high'],
    ['gemini-4-hydrogen', 'max', 'xhigh'],
  ] as const)('%s asked for %s gets %s, and says so', (model, level, got) => {
    expect(applied(model, { level })).toEqual({ config: { thinkingLevel: got.toUpperCase() }, level: got });
  });

  test('a budget becomes a level where there are only levels, and stays within bounds where there are budgets', () => {
    expect(applied('gemini-3.7-flash', { budgetTokens: 5000 }).config).toEqual({ thinkingLevel: 'MEDIUM' });
    expect(applied('gemini-2.5-flash', { budgetTokens: 5000 }).config).toEqual({ thinkingBudget: 5000 });
    expect(applied('gemini-2.5-flash-lite', { budgetTokens: 10 }).config).toEqual({ thinkingBudget: 512 });
  });

  test('thoughts are told to who asks for thinking and does not say that they shall stay hidden', () => {
    expect(applied('gemini-3.7-flash', { level: 'low', show: null }).config).toEqual({ thinkingLevel: 'LOW', includeThoughts: true });
    expect(applied('gemini-3.7-flash', { show: true }).config).toEqual({ includeThoughts: true });
    expect(applied('gemini-2.5-flash', { level: 'off', show: null }).config).toEqual({ thinkingBudget: 0 });
  });

  test('a level and a budget never go out together, and a level is always one the model has', () => {
    const models: GeminiThinking[] = ['gemini-2.5-pro', 'gemini-3-pro-preview', 'gemini-4-hydrogen', 'x'].map(
      (model) => rulesOf(model).gemini.thinking,
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...models),
        fc.option(fc.constantFrom(...THINKING_LEVELS)),
        fc.option(fc.nat()),
        (model, level, budgetTokens) => {
          const config = thinkingConfig(asked({ level, budgetTokens }), model).config ?? {};
          expect('thinkingLevel' in config && 'thinkingBudget' in config).toBe(false);
          if (model.by === 'level' && 'thinkingLevel' in config)
            expect(model.levels.map((name) => name.toUpperCase())).toContain(config['thinkingLevel']);
        },
      ),
    );
  });
});
