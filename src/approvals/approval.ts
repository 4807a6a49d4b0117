import type { Id } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';

/** `used`: by the call it was for. */
export const APPROVAL_STATES = ['pending', 'approved', 'used', 'rejected', 'expired'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** A budget that has too little for a call. Amounts in nano-USD. */
export interface Short {
  budgetId: Id;
  scopeKind: string;
  scopeValue: string;
  limit: Nano;
  spent: Nano;
  held: Nano;
  /** How much it lacks. */
  short: Nano;
  /** Unix seconds; null: never. */
  resetsAt: number | null;
}

/** A call that somebody has to approve, and what became of it. */
export interface Approval {
  id: Id;
  projectId: Id;
  apiKeyId: Id;
  endpoint: string;
  /** As it was asked for. */
  model: string;
  /** The most it may cost. */
  amount: Nano;
  /** As they were when it was asked for. */
  shorts: readonly Short[];
  endUser: string | null;
  session: string | null;
  tags: readonly string[];
  /** An operator set one of the budgets: only an operator may decide. */
  byOperator: boolean;
  /** Whoever owns or made the API key may not decide. */
  fourEyes: boolean;
  state: ApprovalState;
  /** What was approved: this very call, or an amount on each budget. Null: nothing. */
  kind: 'once' | 'amount' | null;
  granted: Nano | null;
  decidedBy: string | null;
  decidedAt: Date | null;
  reason: string | null;
  createdAt: Date;
  /** Until when it can be decided, used, or spent. Null: as long as the periods of its budgets. */
  expiresAt: Date | null;
}

/** What somebody decides. */
export type Decision = { approves: false } | { approves: true; grant: { amount: Nano; seconds: number | null } | null };

/** Who decides it. */
export interface Decider {
  /** As the audit knows them. */
  actor: string;
  isOperator: boolean;
}
