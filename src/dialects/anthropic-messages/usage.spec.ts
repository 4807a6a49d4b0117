import fc from 'fast-check';
import { NO_USAGE } from '../../kernel/usage.js';
import { encodeUsage, mergeUsage, readUsage } from './usage.js';

test.each([
  [
    'the cache is beside the input, not in it',
    { input_tokens: 3, cache_read_input_tokens: 1111, output_tokens: 5 },
    { input: 3, cacheRead: 1111 },
  ],
  [
    'writes are told apart by how long they last',
    {
      input_tokens: 3,
      output_tokens: 5,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
    },
    { cacheWrite5m: 10, cacheWrite1h: 20 },
  ],
  ['writes of no kind last five minutes', { input_tokens: 3, cache_creation_input_tokens: 30 }, { cacheWrite5m: 30, cacheWrite1h: 0 }],
  [
    'thinking is part of the output',
    { input_tokens: 3, output_tokens: 44, output_tokens_details: { thinking_tokens: 33 } },
    { output: 44, reasoning: 33 },
  ],
  [
    'steps of compaction are added, with what they wrote to the cache',
    {
      input_tokens: 229,
      output_tokens: 5,
      cache_creation_input_tokens: 0,
      iterations: [
        { type: 'compaction', input_tokens: 100, output_tokens: 131, cache_creation_input_tokens: 55_096, cache_read_input_tokens: 0 },
        { type: 'message', input_tokens: 229, output_tokens: 5, cache_creation_input_tokens: 0, cache_read_input_tokens: 7 },
        { type: 'advisor_message', model: 'other', input_tokens: 9999, output_tokens: 9999 },
      ],
    },
    { input: 329, cacheWrite5m: 55_096, cacheRead: 7, output: 136 },
  ],
  [
    'where another model took over, the top level counts',
    {
      input_tokens: 10,
      output_tokens: 20,
      iterations: [
        { type: 'message', input_tokens: 1, output_tokens: 1 },
        { type: 'fallback_message', input_tokens: 10, output_tokens: 20 },
      ],
    },
    { input: 10, output: 20 },
  ],
])('%s', (_name, raw, expected) => expect(readUsage(raw)).toMatchObject(expected));

test.each([
  null,
  7,
  {},
  { input_tokens: -1 },
  { input_tokens: 'one' },
  { input_tokens: 1.5 },
  { input_tokens: 1, output_tokens: Number.NaN },
])('%j is no usage to bill by', (raw) => expect(readUsage(raw)).toBeNull());

test('a later event replaces what it has and keeps what it has not', () => {
  const start = { input_tokens: 43, cache_read_input_tokens: 1165, output_tokens: 1 };
  expect(mergeUsage(start, { input_tokens: 61, cache_read_input_tokens: null, output_tokens: 2 })).toEqual({
    input_tokens: 61,
    cache_read_input_tokens: 1165,
    output_tokens: 2,
  });
});

test('usage that is written is read as it was', () => {
  const count = fc.nat(1_000_000);
  fc.assert(
    fc.property(count, count, count, count, count, fc.boolean(), (input, cacheRead, cacheWrite5m, cacheWrite1h, output, thinks) => {
      const usage = {
        ...NO_USAGE,
        input,
        cacheRead,
        cacheWrite5m,
        cacheWrite1h,
        output,
        reasoning: thinks ? Math.floor(output / 2) : null,
      };
      expect(readUsage(encodeUsage(usage))).toEqual(usage);
    }),
  );
});

test('steps whose sum no model could use are no count', () => {
  const iterations = Array.from({ length: 20 }, () => ({ type: 'message', input_tokens: 1e12, output_tokens: 1 }));
  expect(readUsage({ input_tokens: 1, output_tokens: 1, iterations })).toBeNull();
});
