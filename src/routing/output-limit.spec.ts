import { outputLimit } from './output-limit.js';

const UNKNOWN = { maxOutputTokens: null, contextWindow: null };
const byDefault = (tokens: number) => ({ tokens, isDefault: true, from: expect.stringMatching(/^(default|model)$/) });
const chosen = (tokens: number, from: string) => ({ tokens, isDefault: false, from });

test('without a limit of the client or its key there is room for a long file', () =>
  expect(outputLimit(null, null, UNKNOWN)).toEqual(byDefault(32_768)));

test.each([
  [2_000, null, 2_000],
  [128_000, 400_000, 32_768],
  [null, 40_000, 20_000],
  [null, 8_192, 4_096],
  [null, 4_096, 4_096],
  [8_192, 8_192, 4_096],
])('a default never goes past what a model gives, %p, and leaves half of a small window, %p, to the prompt', (most, window, limit) =>
  expect(outputLimit(null, null, { maxOutputTokens: most, contextWindow: window })).toEqual(byDefault(limit)),
);

test.each([
  [100, 50, 50, 'api_key'],
  [100, null, 100, 'client'],
  [null, 9_000, 9_000, 'api_key'],
  [0, 50, 0, 'client'],
  [100_000, null, 100_000, 'client'],
])('of a client that asks for %p and a key that allows %p the least counts', (requested, ofKey, limit, from) =>
  expect(outputLimit(requested, ofKey, UNKNOWN)).toEqual(chosen(limit, from)),
);

test('what a model is known to give at most bounds what is asked for', () =>
  expect(outputLimit(9_000, null, { maxOutputTokens: 2_000, contextWindow: null })).toEqual(chosen(2_000, 'model')));
