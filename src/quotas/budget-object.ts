import { formatUsd } from '../kernel/money.js';
import { type BudgetPeriod, headroomOf } from './budget.js';

/** What a period has spent, and what is left of it, as tenants and admins alike read it. */
export const renderSpending = (period: BudgetPeriod) => ({
  spent: formatUsd(period.spent),
  held: formatUsd(period.held),
  remaining: formatUsd(headroomOf(period)),
  currency: 'usd' as const,
});
