import type { Elapsed } from '../kernel/elapsed.js';
import type { Nano } from '../kernel/money.js';

/** What a budget says of a call it holds no money for. `tight`: it would, but has less headroom than is wanted. */
type BudgetVerdict = 'exceeded' | 'too_large' | 'busy' | 'tight' | 'unpriced';
/** Which kind of limit a call runs into. */
type LimitVerdict = 'requests' | 'tokens' | 'concurrency';
/** `split`: the batch touches too many rows, and nothing was done. */
export type Verdict = 'held' | BudgetVerdict | LimitVerdict | 'split';

/** The budget that stood in the way. Amounts in nano-USD. */
export interface BudgetDenial {
  budgetId: string;
  /** Whether somebody may approve what is beyond it. */
  mode: 'deny' | 'approve';
  scopeKind: string;
  scopeValue: string;
  amount: Nano | null;
  limit: Nano;
  spent: Nano;
  held: Nano;
  headroom: Nano;
  /** Unix seconds; null: never. */
  resetsAt: number | null;
}

/** The limit that stood in the way. */
export interface LimitDenial {
  limitId: string;
  scopeKind: string;
  scopeValue: string;
  limit: number;
  /** What the call asked for, where tokens are limited. */
  tokens: number;
  /** Until enough is free again. */
  waitSeconds: number;
}

/** The tightest limits on a call's scopes, after it was counted. */
export interface RateLimitState {
  limit_requests?: number;
  remaining_requests?: number;
  /** Seconds until the first of the counted requests is forgotten. */
  reset_requests?: number;
  limit_tokens?: number;
  remaining_tokens?: number;
  reset_tokens?: number;
}

/** What comes of a request to hold. */
export interface HoldAnswer {
  verdict: Verdict;
  /** Present when a budget is in the way. */
  denial: BudgetDenial | null;
  /** Present when a limit is in the way. */
  limitDenial: LimitDenial | null;
  /** Least headroom over the call's hard budgets after the hold; null: it has none. */
  remaining: Nano | null;
  /** The highest alert threshold any of its budgets has reached, in percent; null: none. */
  warnedPercent: number | null;
  /** Null: no limit applies. */
  rates: RateLimitState | null;
  /** How many periods and counters the call touches. */
  rows: number;
  /** It was held beyond its budgets, by an approval. */
  isApproved: boolean;
}

/** An answer, and how old the hold is by now. */
export type DatedAnswer = HoldAnswer & { since: Elapsed };

/** A row of `hold_batch`. */
export interface AdmissionRow {
  verdict: Verdict;
  remaining: bigint | null;
  warned: number | null;
  rates: RateLimitState | null;
  denial: BudgetDenialRow | LimitDenialRow | null;
  touched: number;
  /** Of `hold_approved` only: the approval that was used. */
  approval?: string | null;
}

interface BudgetDenialRow {
  budget_id: string;
  mode: BudgetDenial['mode'];
  scope_kind: string;
  scope_value: string;
  amount: string | null;
  limit: string;
  spent: string;
  held: string;
  headroom: string;
  resets_at: number | null;
}

interface LimitDenialRow {
  limit_id: string;
  scope_kind: string;
  scope_value: string;
  limit: number;
  tokens: number;
  wait: number;
}

export function toAnswer({ verdict, remaining, warned, rates, denial, touched, approval }: AdmissionRow): HoldAnswer {
  const isLimit = denial !== null && 'limit_id' in denial;
  return {
    verdict,
    remaining,
    warnedPercent: warned || null,
    rates,
    denial: denial && !isLimit ? toDenial(denial as BudgetDenialRow) : null,
    limitDenial: isLimit ? toLimitDenial(denial) : null,
    rows: touched,
    isApproved: approval != null,
  };
}

const toDenial = (row: BudgetDenialRow): BudgetDenial => ({
  budgetId: row.budget_id,
  mode: row.mode,
  scopeKind: row.scope_kind,
  scopeValue: row.scope_value,
  amount: row.amount === null ? null : BigInt(row.amount),
  limit: BigInt(row.limit),
  spent: BigInt(row.spent),
  held: BigInt(row.held),
  headroom: BigInt(row.headroom),
  resetsAt: row.resets_at,
});

const toLimitDenial = (row: LimitDenialRow): LimitDenial => ({
  limitId: row.limit_id,
  scopeKind: row.scope_kind,
  scopeValue: row.scope_value,
  limit: row.limit,
  tokens: row.tokens,
  waitSeconds: row.wait,
});
