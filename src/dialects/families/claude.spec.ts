import fc from 'fast-check';
import { rulesOf } from '../../model-rules/index.js';
import { THINKING_LEVELS, type Thinking } from '../canonical.js';
import { claudeThinking, forcedToolAllowed, levelOfBudget, samplingAllowed } from './claude.js';

const thinking = (fields: Partial<Thinking>): Thinking => ({ level: null, budgetTokens: null, show: null, ...fields });
const send = (model: string, level: (typeof THINKING_LEVELS)[number], limit = 64_000) =>
  claudeThinking(rulesOf(model).claude, thinking({ level }), null, limit);

describe('thinking', () => {
  test('nothing asked, nothing sent; and that is not the same as off', () => {
    expect(claudeThinking(rulesOf('claude-opus-5').claude, null, null, 100)).toMatchObject({ thinking: null, effort: null, level: null });
    expect(send('claude-opus-5', 'off')).toMatchObject({ thinking: { type: 'disabled' }, level: 'off' });
  });

  test("the client's own field beats the caller's setting", () => {
    const family = rulesOf('claude-opus-5').claude;
    expect(claudeThinking(family, thinking({ level: 'low' }), 'high', 100).effort).toBe('low');
    expect(claudeThinking(family, null, 'high', 100).effort).toBe('high');
  });

  test.each([
    ['claude-opus-5-5', { type: 'adaptive', display: 'omitted' }, 'low'],
    ['claude-fable-5', { type: 'adaptive', display: 'omitted' }, 'low'],
    ['claude-sonnet-5-5', { type: 'between_tools' }, 'minimal'],
    ['claude-haiku-5-5', { type: 'disabled' }, 'off'],
    ['claude-sonnet-4-5', { type: 'disabled' }, 'off'],
    ['claude-3-haiku-20240307', null, null],
  ])('%s turned off', (model, sent, level) => {
    const result = send(model, 'off');
    expect(result).toMatchObject({ thinking: sent, level });
    expect(result.warnings.length).toBe(level === 'low' || level === 'minimal' ? 1 : 0);
  });

  test.each([
    ['claude-opus-5', 'minimal', 'low'],
    ['claude-opus-5', 'xhigh', 'xhigh'],
    ['claude-opus-4-7', 'xhigh', 'xhigh'],
    ['claude-opus-4-6', 'xhigh', 'max'],
    ['claude-sonnet-4-6', 'max', 'max'],
  ] as const)('%s at %s is asked for the effort %s', (model, level, effort) =>
    expect(send(model, level)).toMatchObject({ thinking: { type: 'adaptive', display: 'summarized' }, effort, level: effort }),
  );

  test('a budget asked for is kept where budgets are known, and becomes an effort where they are not', () => {
    const asked = thinking({ budgetTokens: 3000 });
    expect(claudeThinking(rulesOf('claude-sonnet-4-6').claude, asked, null, 9000).thinking).toEqual({
      type: 'enabled',
      budget_tokens: 3000,
    });
    expect(claudeThinking(rulesOf('claude-opus-5').claude, asked, null, 9000)).toMatchObject({
      effort: 'low',
      thinking: { type: 'adaptive' },
    });
  });

  test('a budget is at least 1024 and always below the output limit', () => {
    const family = rulesOf('claude-sonnet-4-5').claude;
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 1, max: 100_000 })),
        fc.constantFrom(null, ...THINKING_LEVELS.filter((level) => level !== 'off')),
        fc.integer({ min: 1, max: 64_000 }),
        (budgetTokens, level, limit) => {
          const budget = claudeThinking(family, thinking({ budgetTokens, level }), null, limit).thinking?.['budget_tokens'] as number;
          if (limit <= 1024) return expect(budget).toBeUndefined();
          expect(budget).toBeGreaterThanOrEqual(1024);
          expect(budget).toBeLessThan(limit);
        },
      ),
    );
  });

  test('reading a budget as a level and asking for that level gives a budget no larger', () => {
    const family = rulesOf('claude-sonnet-4-5').claude;
    fc.assert(
      fc.property(fc.integer({ min: 1024, max: 60_000 }), (tokens) => {
        const again = claudeThinking(family, thinking({ level: levelOfBudget(tokens) }), null, 1_000_000).thinking!['budget_tokens'];
        expect(again).toBeLessThanOrEqual(tokens);
      }),
    );
  });
});

test('what goes beside thinking', () => {
  const budgeted = rulesOf('claude-sonnet-4-5').claude;
  const thinks = claudeThinking(budgeted, thinking({ level: 'low' }), null, 9000);
  const off = claudeThinking(budgeted, thinking({ level: 'off' }), null, 9000);
  expect([forcedToolAllowed(budgeted, thinks), samplingAllowed(budgeted, thinks)]).toEqual([false, 'none']);
  expect([forcedToolAllowed(budgeted, off), samplingAllowed(budgeted, off)]).toEqual([true, 'one']);
  const adaptive = rulesOf('claude-opus-4-7').claude;
  expect(forcedToolAllowed(adaptive, claudeThinking(adaptive, thinking({ level: 'low' }), null, 9000))).toBe(true);
  expect(forcedToolAllowed(rulesOf('claude-opus-5-5').claude, off)).toBe(false);
});
