import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { wholeTokens } from './fit-model.js';

const word = fc.oneof(
  fc.stringMatching(/^[a-z]{1,12}$/),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom("it's", '12345', '\n\n  x', '<|endoftext|>', '早上好', 'ÄÖ', '   '),
);
/** Long enough for several pieces. */
const text = fc.array(word, { minLength: 400, maxLength: 800 }).map((words) => words.join(' '));
const count = (piece: string) => countTokens(piece, { disallowedSpecial: new Set() });

test('pieces of a text never have more tokens than it', () => {
  fc.assert(
    fc.property(text, (whole) => {
      const counted = [...wholeTokens(whole)].reduce((sum, piece) => sum + count(piece), 0);
      expect(counted).toBeLessThanOrEqual(count(whole));
    }),
    { numRuns: 15 },
  );
});

test('a text of plain words is counted to the token', () => {
  const whole = 'the quick brown fox jumps over the lazy dog and runs away '.repeat(500);
  expect([...wholeTokens(whole)].reduce((sum, piece) => sum + count(piece), 0)).toBe(count(whole));
});

test('a text without a seam is not counted', () => {
  expect([...wholeTokens('x'.repeat(10_000))]).toEqual([]);
});
