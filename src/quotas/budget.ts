import type { Nano } from '../kernel/money.js';
import type { Rule } from './rule.js';

export const PERIOD_KINDS = ['minute', 'hour', 'day', 'week', 'month', 'year', 'lifetime', 'rolling'] as const;

/** `deny`: a hard cap. `approve`: one that somebody may lift for a call. `observe`: it counts and alerts, and never refuses a call. */
export const MODES = ['deny', 'approve', 'observe'] as const;

/** An amount per period on one scope, or on each value of a kind of scope. */
export interface Budget extends Rule {
  limit: Nano;
  periodKind: string;
  /** IANA name; decides when days, weeks and months begin. */
  timezone: string;
  /** From when periods are counted; null: from the calendar's own beginnings. */
  anchor: Date | null;
  /** How long a rolling budget looks back; null for the other kinds. */
  windowSeconds: number | null;
  /** Percents of the limit at which an event is due, once per period. */
  thresholds: readonly number[];
  mode: string;
  /** Of mode `approve`: whoever owns or made the API key of a call may not approve it. */
  fourEyes: boolean;
}

/** One period of a budget and what became of its money. */
export interface BudgetPeriod {
  /** Null: nothing has been held in it, so there is no row of it. */
  id: bigint | null;
  budgetId: string;
  scopeValue: string;
  startsAt: Date;
  /** Null: it never ends. */
  endsAt: Date | null;
  limit: Nano;
  granted: Nano;
  /** Of a rolling budget: within its window. */
  spent: Nano;
  held: Nano;
  /** The part of it for calls that are booked as an estimate and may cost more. */
  heldApart: Nano;
  openedAt: Date | null;
  closedAt: Date | null;
  /** Null until it is closed and nothing of it is in flight. */
  statement: Statement | null;
}

/** What became of a period. */
interface Statement {
  calls: number;
  /** The dearest first. Amounts in nano-USD. */
  topModels: { provider: string; model: string; calls: number; amount: Nano }[];
}

/** A counter of a budget of which much is spent. */
export interface Filled {
  tenantId: string;
  budgetId: string;
  scopeKind: string;
  scopeValue: string;
  /** How much of the limit, with its grants, is spent. */
  percent: number;
}

/** More headroom for one period. */
export interface Grant {
  id: string;
  periodId: bigint;
  scopeValue: string;
  amount: Nano;
  /** What was not needed of it. */
  takenBack: Nano;
  /** When what is left of it is taken back; null: it stays. */
  expiresAt: Date | null;
  /** The approval it comes of; null: none. */
  approvalId: string | null;
  actor: string;
  reason: string | null;
  createdAt: Date;
}

/** What calls may still be held for. Negative after an overrun or a lowered limit. */
export const headroomOf = (period: BudgetPeriod): Nano => period.limit + period.granted - period.spent - period.held;
