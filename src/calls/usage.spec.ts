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

const spansIn = (zone: string, from: string, to: string, width: '1h' | '1d' | '1mo') =>
  bucketSpans(Date.parse(from) / 1000, Date.parse(to) / 1000, width, 100, zone).map(({ start }) =>
    new Date(start * 1000).toISOString().slice(0, 16),
  );

test('days, hours and months begin by the clocks of a zone, also at +05:45 and when clocks change', () => {
  expect(spansIn('Asia/Kathmandu', '2026-03-01T00:00Z', '2026-03-02T20:00Z', '1d')).toEqual([
    '2026-03-01T00:00',
    '2026-03-01T18:15',
    '2026-03-02T18:15',
  ]);
  expect(spansIn('Asia/Kathmandu', '2026-03-01T00:00Z', '2026-03-01T02:00Z', '1h')).toEqual([
    '2026-03-01T00:00',
    '2026-03-01T00:15',
    '2026-03-01T01:15',
  ]);
  expect(spansIn('America/New_York', '2026-03-07T05:00Z', '2026-03-10T04:00Z', '1d')).toEqual([
    '2026-03-07T05:00',
    '2026-03-08T05:00',
    '2026-03-09T04:00',
  ]);
  expect(spansIn('Europe/Berlin', '2026-10-24T22:00Z', '2026-10-26T23:00Z', '1d')).toEqual(['2026-10-24T22:00', '2026-10-25T23:00']);
  expect(spansIn('Europe/Berlin', '2026-10-25T00:00Z', '2026-10-25T03:00Z', '1h')).toHaveLength(3);
  expect(spansIn('Europe/Berlin', '2026-01-31T23:00Z', '2026-05-01T00:00Z', '1mo')).toEqual([
    '2026-01-31T23:00',
    '2026-02-28T23:00',
    '2026-03-31T22:00',
    '2026-04-30T22:00',
  ]);
});

test('a day that begins while clocks skip an hour begins when they change', () => {
  expect(spansIn('America/Santiago', '2026-09-05T12:00Z', '2026-09-07T12:00Z', '1d')).toEqual([
    '2026-09-05T12:00',
    '2026-09-06T04:00',
    '2026-09-07T03:00',
  ]);
});
