import { modelRulesOf } from './treated-as.js';

const RULES = [
  { match: 'claude-opus-6-mini', treatAs: 'claude-haiku-5-5' },
  { match: 'claude-opus-6*', treatAs: 'claude-opus-5-5' },
  { match: '*', treatAs: 'gpt-5' },
];

test.each([
  ['claude-opus-6-mini', 'claude-haiku-5-5'],
  ['claude-opus-6-mini-2', 'claude-opus-5-5'],
  ['claude-opus-6', 'claude-opus-5-5'],
  ['claude-opus-5', 'gpt-5'],
])('%s is treated as %s: the first that matches counts', (model, other) => expect(modelRulesOf(RULES, model)).toBe(other));

test('what nothing matches has its own rules, and what a rule names is not looked up again', () => {
  expect(modelRulesOf(RULES.slice(0, 2), 'gpt-5')).toBeUndefined();
  expect(
    modelRulesOf(
      [
        { match: 'a', treatAs: 'b' },
        { match: 'b', treatAs: 'c' },
      ],
      'a',
    ),
  ).toBe('b');
});
