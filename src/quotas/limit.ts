import type { Rule } from './rule.js';

/** How fast, and how many at once, calls of a scope may come. At least one of the three is set. */
export interface Limit extends Rule {
  requestsPerMinute: number | null;
  /** Of the worst case while a call is in flight, of what it really used afterwards. */
  tokensPerMinute: number | null;
  /** Calls in flight. */
  concurrency: number | null;
}

/** A limit as it counts calls of one scope, with what it counted in the last minute and what is in flight. */
export interface CountingLimit {
  limit: Limit;
  scopeValue: string;
  requests: number;
  tokens: number;
  open: number;
}
