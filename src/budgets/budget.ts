import type { Nano } from '../kernel/money.js';

export const SCOPE_KINDS = ['tenant', 'project', 'api_key'] as const;
export type ScopeKind = (typeof SCOPE_KINDS)[number];

export const PERIOD_KINDS = ['minute', 'hour', 'day', 'week', 'month', 'lifetime'] as const;
export type PeriodKind = (typeof PERIOD_KINDS)[number];

/** An amount per period on one scope. Mode `deny`: a hard cap. */
export interface Budget {
  tenantId: string;
  id: string;
  scopeKind: string;
  /** The public id of the tenant, project or key. */
  scopeValue: string;
  limit: Nano;
  periodKind: string;
  /** IANA name; decides when days, weeks and months begin. */
  timezone: string;
  mode: string;
  externalId: string | null;
  metadata: unknown;
  /** Rises with each change; the ETag. */
  version: number;
  createdAt: Date;
}

/** One period of a budget and what became of its money. */
export interface BudgetPeriod {
  id: bigint;
  budgetId: string;
  scopeValue: string;
  startsAt: Date;
  /** Null: it never ends. */
  endsAt: Date | null;
  limit: Nano;
  granted: Nano;
  spent: Nano;
  held: Nano;
  openedAt: Date | null;
  closedAt: Date | null;
}

/** What calls may still be held for. Negative after an overrun or a lowered limit. */
export const headroomOf = (period: BudgetPeriod): Nano => period.limit + period.granted - period.spent - period.held;

/** True for an IANA time zone this runtime knows. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return !/^[+-]/.test(name);
  } catch {
    return false;
  }
}
