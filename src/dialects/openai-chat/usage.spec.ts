import fc from 'fast-check';
import { readUsage as readResponsesUsage } from '../openai-responses/usage.js';
import { readUsage } from './usage.js';

test('reasoning is told as it was reported, also where it is more than the output it is a part of', () => {
  const chat = { prompt_tokens: 3, completion_tokens: 10, completion_tokens_details: { reasoning_tokens: 11 } };
  expect(readUsage(chat)).toMatchObject({ output: 10, reasoning: 11 });
  const responses = { input_tokens: 3, output_tokens: 10, output_tokens_details: { reasoning_tokens: 11 } };
  expect(readResponsesUsage(responses)).toMatchObject({ output: 10, reasoning: 11 });
});

test('reasoning that only the total holds is output', () => {
  const raw = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 9, completion_tokens_details: { reasoning_tokens: 5 } };
  expect(readUsage(raw)).toMatchObject({ output: 6, reasoning: 5 });
});

test.each([
  [
    'cached tokens are part of the prompt',
    { prompt_tokens: 100, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 60 } },
    { input: 40, cacheRead: 60, output: 10 },
  ],
  [
    'cache writes are part of the prompt',
    { prompt_tokens: 100, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 30 } },
    { input: 10, cacheRead: 60, cacheWrite5m: 30 },
  ],
  [
    'overlapping cache counts never make input negative',
    { prompt_tokens: 2168, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 2161, cache_write_tokens: 2161 } },
    { input: 0, cacheRead: 2161, cacheWrite5m: 2161 },
  ],
  ['a larger total is hidden reasoning', { prompt_tokens: 35, completion_tokens: 12, total_tokens: 109 }, { input: 35, output: 74 }],
  [
    'reasoning is part of output',
    { prompt_tokens: 1, completion_tokens: 50, completion_tokens_details: { reasoning_tokens: 40 } },
    { output: 50, reasoning: 40 },
  ],
  [
    'the name DeepSeek gives cache reads',
    { prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 4 },
    { input: 6, cacheRead: 4 },
  ],
  ['the name Moonshot gives cache reads', { prompt_tokens: 10, completion_tokens: 1, cached_tokens: 4 }, { input: 6, cacheRead: 4 }],
])('%s', (_name, raw, expected) => expect(readUsage(raw)).toMatchObject(expected));

test.each([
  null,
  undefined,
  7,
  {},
  { prompt_tokens: -1 },
  { prompt_tokens: 1.5 },
  { prompt_tokens: 'twelve' },
  { prompt_tokens: 1e300 },
  { prompt_tokens: Number.NaN },
  { prompt_tokens: 1, completion_tokens: -5 },
])('%j is no usage to bill by', (raw) => expect(readUsage(raw)).toBeNull());

test('classes are disjoint and never negative, whatever a provider says', () => {
  const count = fc.nat(1_000_000);
  fc.assert(
    fc.property(count, count, count, count, (prompt, cached, written, completion) => {
      const usage = readUsage({
        prompt_tokens: prompt,
        completion_tokens: completion,
        prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
      })!;
      expect(Math.min(usage.input, usage.cacheRead, usage.cacheWrite5m, usage.output)).toBeGreaterThanOrEqual(0);
      if (cached + written <= prompt) expect(usage.input + usage.cacheRead + usage.cacheWrite5m).toBe(prompt);
    }),
  );
});
