import { bucketSpans } from './usage.js';

const DAY = 86_400;

test('buckets end at UTC midnights, and the first and last are cut to what was asked for', () => {
  expect(bucketSpans(DAY + 100, 3 * DAY + 50, '1d', 31)).toEqual([
    { start: DAY + 100, end: 2 * DAY },
    { start: 2 * DAY, end: 3 * DAY },
    { start: 3 * DAY, end: 3 * DAY + 50 },
  ]);
});

test('there are never more buckets than asked for, and the next page continues without a gap', () => {
  const first = bucketSpans(0, 10 * 3_600, '1h', 4);
  expect(first).toHaveLength(4);
  expect(bucketSpans(first.at(-1)!.end, 10 * 3_600, '1h', 4)[0]).toEqual({ start: 4 * 3_600, end: 5 * 3_600 });
});

test('an empty span has no bucket', () => expect(bucketSpans(100, 100, '1m', 60)).toEqual([]));
