import type { DefaultOwner, LimitSource } from '../kernel/plan-sources.js';

/** One hold of a call, and the attempts that it paid for. */
export interface StoredHold {
  /** Index of its target. */
  target: number;
  /** How many attempts the call had when this hold was booked. */
  attempts: number;
  limit_from: LimitSource;
  /** What the output limit was lowered from, to fit budgets and cost limits. Absent: it was not. */
  lowered_from?: number;
  /** The output limit as it was sent, per answer. */
  max_output_tokens: number;
  thinking_level?: string;
  warnings?: readonly string[];
  /** Why its cost is an estimate. */
  estimated?: string;
}

/** What is kept of a call beyond what the ledger books: how it was routed and what was changed in it. */
export interface StoredPlan {
  route?: { id: string; name: string; kind: string; value: string };
  default_from?: DefaultOwner;
  policy: { retries: number; attempts: number; deadline_ms: number | null; fallback_on: readonly string[] };
  /** In order. `refused`: why Weir sent nothing to it. */
  targets: readonly { model: string; refused?: string }[];
  /** Targets that the call would not go to. */
  skipped: readonly { model: string; reason: string }[];
  holds: readonly StoredHold[];
  /** The call went on to another attempt once this was noted. */
  went_on?: true;
}
