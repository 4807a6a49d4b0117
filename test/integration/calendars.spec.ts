import fc from 'fast-check';
import type { Pool } from 'pg';
import { sqlFunction } from '../../src/platform/postgres/index.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Africa/Cairo',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/Havana',
  'America/Sao_Paulo',
  'Pacific/Apia',
  'Pacific/Chatham',
  'America/St_Johns',
  'Asia/Tehran',
];

let database: TestDatabase;
let db: Pool;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
});

afterAll(async () => {
  await db.end();
  await database.drop();
});

const bounds = async (kind: string, timezone: string, at: string, anchor: string | null = null) =>
  (
    await db.query<{ starts_at: Date; ends_at: Date }>(`SELECT * FROM ${sqlFunction('period_bounds')}($1, $2, $3, '2020-01-01Z', $4)`, [
      kind,
      timezone,
      anchor,
      at,
    ])
  ).rows[0]!;

test.each([
  ['day', 'UTC', '2026-11-20T14:30:00Z', '2026-11-20T00:00:00Z', '2026-11-21T00:00:00Z'],
  ['week', 'UTC', '2026-11-20T14:30:00Z', '2026-11-16T00:00:00Z', '2026-11-23T00:00:00Z'],
  ['month', 'Europe/Berlin', '2026-10-31T23:30:00Z', '2026-10-31T23:00:00Z', '2026-11-30T23:00:00Z'],
  ['year', 'Asia/Kathmandu', '2026-06-01T00:00:00Z', '2025-12-31T18:15:00Z', '2026-12-31T18:15:00Z'],
  ['hour', 'Asia/Kathmandu', '2026-11-20T14:30:00Z', '2026-11-20T14:15:00Z', '2026-11-20T15:15:00Z'],
  ['minute', 'UTC', '2026-11-20T14:30:59Z', '2026-11-20T14:30:00Z', '2026-11-20T14:31:00Z'],
  ['day of 23 hours', 'America/New_York', '2027-03-14T12:00:00Z', '2027-03-14T05:00:00Z', '2027-03-15T04:00:00Z'],
  ['day of 25 hours', 'America/New_York', '2026-11-01T12:00:00Z', '2026-11-01T04:00:00Z', '2026-11-02T05:00:00Z'],
  ['day whose midnight does not exist', 'Africa/Cairo', '2026-04-24T12:00:00Z', '2026-04-23T22:00:00Z', '2026-04-24T21:00:00Z'],
  ['day before one that was left out', 'Pacific/Apia', '2011-12-30T09:00:00Z', '2011-12-29T10:00:00Z', '2011-12-30T10:00:00Z'],
])('a %s in %s', async (name, timezone, at, startsAt, endsAt) => {
  expect(await bounds(name.split(' ')[0]!, timezone, at)).toEqual({ starts_at: new Date(startsAt), ends_at: new Date(endsAt) });
});

test.each([
  [
    'month from the 31st, in February',
    'month',
    '2026-01-31T00:00:00Z',
    '2026-03-10T00:00:00Z',
    '2026-02-28T00:00:00Z',
    '2026-03-31T00:00:00Z',
  ],
  [
    'month from the 31st, in April',
    'month',
    '2026-01-31T00:00:00Z',
    '2026-05-01T00:00:00Z',
    '2026-04-30T00:00:00Z',
    '2026-05-31T00:00:00Z',
  ],
  ['month before its anchor', 'month', '2026-01-15T12:00:00Z', '2025-12-20T00:00:00Z', '2025-12-15T12:00:00Z', '2026-01-15T12:00:00Z'],
  ['year from a leap day', 'year', '2024-02-29T00:00:00Z', '2027-03-01T00:00:00Z', '2027-02-28T00:00:00Z', '2028-02-29T00:00:00Z'],
  ['week from a Wednesday at noon', 'week', '2026-11-18T12:00:00Z', '2026-11-25T11:59:00Z', '2026-11-18T12:00:00Z', '2026-11-25T12:00:00Z'],
  ['day from six in the morning', 'day', '2026-01-01T06:00:00Z', '2026-11-20T05:00:00Z', '2026-11-19T06:00:00Z', '2026-11-20T06:00:00Z'],
  ['hour from a quarter past', 'hour', '2026-01-01T00:15:00Z', '2026-11-20T05:10:00Z', '2026-11-20T04:15:00Z', '2026-11-20T05:15:00Z'],
])('a %s', async (_name, kind, anchor, at, startsAt, endsAt) => {
  expect(await bounds(kind, 'UTC', at, anchor)).toEqual({ starts_at: new Date(startsAt), ends_at: new Date(endsAt) });
});

test.each(ZONES)(
  'ten years of days, weeks, months and years in %s, and hours of one, follow each other without gap or overlap',
  async (timezone) => {
    const { rows } = await db.query<{ faults: bigint; periods: bigint }>(
      `WITH RECURSIVE kinds (kind, until) AS (
       VALUES ('hour', timestamptz '2027-01-01Z'), ('day', '2036-01-01Z'), ('week', '2036-01-01Z'), ('month', '2036-01-01Z'), ('year', '2036-01-01Z')
     ), walk AS (
       SELECT k.kind, k.until, b.starts_at, b.ends_at FROM kinds k, ${sqlFunction('period_bounds')}(k.kind, $1, NULL, now(), '2026-01-01Z') b
       UNION ALL
       SELECT w.kind, w.until, b.starts_at, b.ends_at FROM walk w, ${sqlFunction('period_bounds')}(w.kind, $1, NULL, now(), w.ends_at) b WHERE w.ends_at < w.until
     ), pairs AS (SELECT *, lead(starts_at) OVER (PARTITION BY kind ORDER BY starts_at) AS next FROM walk)
     SELECT count(*) AS periods, count(*) FILTER (WHERE next <> ends_at OR ends_at <= starts_at OR ends_at - starts_at > interval '367 days'
       OR (${sqlFunction('period_bounds')}(kind, $1, NULL, now(), starts_at + (ends_at - starts_at) / 2)).starts_at <> starts_at
       OR (${sqlFunction('period_bounds')}(kind, $1, NULL, now(), ends_at - interval '1 microsecond')).starts_at <> starts_at) AS faults FROM pairs`,
      [timezone],
    );
    expect(rows[0]!.faults).toBe(0n);
    expect(Number(rows[0]!.periods)).toBeGreaterThan(12_000);
  },
);

/** Anywhere in ten years, to the second. */
const instant = fc
  .integer({ min: Date.UTC(2025, 0) / 1000, max: Date.UTC(2035, 0) / 1000 })
  .map((seconds) => new Date(seconds * 1000).toISOString());

test('whatever the anchor, every instant has one period, which begins where its neighbor ends, on the wall clock of the anchor', async () => {
  const cases = fc.array(
    fc.record({ kind: fc.constantFrom('day', 'week', 'month', 'year'), zone: fc.constantFrom(...ZONES), anchor: instant, at: instant }),
    {
      minLength: 2_000,
      maxLength: 2_000,
    },
  );
  await fc.assert(
    fc.asyncProperty(cases, async (all) => {
      const { rows } = await db.query(
        `SELECT c.* FROM json_to_recordset($1) AS c (kind text, zone text, anchor timestamptz, at timestamptz),
           ${sqlFunction('period_bounds')}(c.kind, c.zone, c.anchor, now(), c.at) AS b, ${sqlFunction('period_bounds')}(c.kind, c.zone, c.anchor, now(), b.ends_at) AS n,
           LATERAL (SELECT c.anchor AT TIME ZONE c.zone AS anchor, b.starts_at AT TIME ZONE c.zone AS start) AS local
         WHERE NOT (b.starts_at <= c.at AND c.at < b.ends_at) OR n.starts_at <> b.ends_at OR n.ends_at <= n.starts_at
           -- The anchor's time of day, where the zone has that time on that day.
           OR (local.start::time <> local.anchor::time AND ((local.start::date + local.anchor::time) AT TIME ZONE c.zone) AT TIME ZONE c.zone = local.start::date + local.anchor::time)
           OR (c.kind = 'week' AND extract(dow FROM local.start) <> extract(dow FROM local.anchor))
           OR (c.kind IN ('month', 'year') AND extract(day FROM local.start) <> least(extract(day FROM local.anchor),
             extract(day FROM date_trunc('month', local.start) + interval '1 month - 1 day')))
           OR (c.kind = 'year' AND extract(month FROM local.start) <> extract(month FROM local.anchor))`,
        [JSON.stringify(all)],
      );
      expect(rows).toEqual([]);
    }),
    { numRuns: Number(process.env['CALENDAR_RUNS'] ?? 5) },
  );
});
