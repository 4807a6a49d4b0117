import type { Nano } from '../kernel/money.js';
import { instantOf, localOf } from '../kernel/time-zone.js';
import type { Usage } from '../kernel/usage.js';

/** Widths of a bucket, in seconds; a month has none. */
export const BUCKET_WIDTHS = { '1m': 60, '15m': 900, '1h': 3_600, '1d': 86_400, '1mo': null } as const;
export type BucketWidth = keyof typeof BUCKET_WIDTHS;

/**
 * What sums can be told apart by. A model is named `provider/model-id`. The roll-up has the first ones; the others only the calls know. A call has several tags
 * and scopes, and counts for each.
 */
export const ROLLED_DIMENSIONS = ['project_id', 'api_key_id', 'provider', 'model'] as const;
export const CALL_DIMENSIONS = ['endpoint', 'credential_id', 'end_user', 'session', 'tag', 'scope'] as const;
export type Dimension = (typeof ROLLED_DIMENSIONS)[number] | (typeof CALL_DIMENSIONS)[number];

/** Which entries to sum up, and how. Times are unix seconds; a dimension that is not filtered lets everything through. */
export interface SumQuery {
  start: number;
  /** Exclusive. */
  end: number;
  bucketWidth: BucketWidth;
  /** IANA; decides when hours, days and months begin. */
  timeZone: string;
  groupBy: readonly Dimension[];
  filters: Partial<Record<Dimension, readonly string[]>>;
  /** Buckets at most. */
  limit: number;
}

/** What a sum belongs to, by what it was grouped by. Null: such entries have none. */
export type Group = Partial<Record<Dimension, string | null>>;

export interface UsageSum {
  group: Group;
  requests: number;
  usage: Usage;
}

export interface CostSum {
  group: Group;
  amount: Nano;
  /** Null: nothing of it is known, or for this viewer. */
  providerCost: Nano | null;
}

/** A span of time, unix seconds, the end exclusive. */
export interface Span {
  start: number;
  end: number;
}

/** Consecutive buckets. `next`: where the following page starts, or null after the last. */
export interface BucketPage<Sum> {
  buckets: (Span & { results: Sum[] })[];
  next: number | null;
}

/** Cuts a span into buckets that end when hours, days or months of a time zone do, so that the first and the last may be shorter. */
export function bucketSpans(start: number, end: number, width: BucketWidth, limit: number, zone = 'UTC'): Span[] {
  const spans: Span[] = [];
  for (let from = start; from < end && spans.length < limit; ) {
    const to = Math.min(boundaryAfter(from, width, zone), end);
    spans.push({ start: from, end: to });
    from = to;
  }
  return spans;
}

function boundaryAfter(from: number, width: BucketWidth, zone: string): number {
  const seconds = BUCKET_WIDTHS[width];
  const local = localOf(zone, from);
  // Clocks that are put back show an hour twice, and each is one.
  if (seconds !== null && seconds <= BUCKET_WIDTHS['1h']) return from + seconds - (((local % seconds) + seconds) % seconds);
  if (seconds !== null) return instantOf(zone, (Math.floor(local / seconds) + 1) * seconds);
  const day = new Date(local * 1000);
  return instantOf(zone, Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1) / 1000);
}
