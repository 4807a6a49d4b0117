import type { Nano } from '../kernel/money.js';
import type { Usage } from '../kernel/usage.js';

/** Widths of a bucket, in seconds. */
export const BUCKET_WIDTHS = { '1m': 60, '1h': 3_600, '1d': 86_400 } as const;
export type BucketWidth = keyof typeof BUCKET_WIDTHS;

/** What sums can be told apart by. A model is named `provider/model-id`. */
const GROUP_FIELDS = ['project_id', 'api_key_id', 'model'] as const;
export type GroupField = (typeof GROUP_FIELDS)[number];

/** Which entries to sum up, and how. Times are unix seconds; a filter that is null lets everything through. */
export interface SumQuery {
  start: number;
  /** Exclusive. */
  end: number;
  bucketWidth: BucketWidth;
  groupBy: readonly GroupField[];
  projectIds: readonly string[] | null;
  apiKeyIds: readonly string[] | null;
  models: readonly string[] | null;
  /** Buckets at most. */
  limit: number;
}

/** What a sum belongs to; null where it was not grouped by that. */
export interface Group {
  projectId: string | null;
  apiKeyId: string | null;
  model: string | null;
}

export interface UsageSum extends Group {
  requests: number;
  usage: Usage;
}

export interface CostSum extends Group {
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

/** Cuts a span into buckets that end at UTC multiples of the width, so that the first and the last may be shorter. */
export function bucketSpans(start: number, end: number, width: BucketWidth, limit: number): Span[] {
  const seconds = BUCKET_WIDTHS[width];
  const spans: Span[] = [];
  for (let from = start; from < end && spans.length < limit; ) {
    const to = Math.min((Math.floor(from / seconds) + 1) * seconds, end);
    spans.push({ start: from, end: to });
    from = to;
  }
  return spans;
}
