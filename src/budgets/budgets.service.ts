import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { type Budget, type BudgetPeriod, isTimeZone } from './budget.js';
import { type BudgetChanges, BudgetsRepository, type NewBudget } from './budgets.repository.js';

@Injectable()
export class BudgetsService {
  constructor(private readonly repository: BudgetsRepository) {}

  /** @throws WeirError invalid_request for an unknown time zone. */
  create(budget: NewBudget): Promise<Budget> {
    assertTimeZone(budget.timezone);
    return this.repository.insert(budget);
  }

  /** @throws WeirError not_found */
  async get(tenantId: string, id: string): Promise<Budget> {
    const budget = await this.repository.find(tenantId, id);
    if (!budget) throw new WeirError('not_found', { message: 'There is no such budget.' });
    return budget;
  }

  list(tenantId: string): Promise<Budget[]> {
    return this.repository.list(tenantId);
  }

  /** A new limit holds at once, a new time zone from the next period on. @throws WeirError not_found, precondition_failed, invalid_request */
  async update(tenantId: string, id: string, changes: BudgetChanges, version: number | null): Promise<Budget> {
    if (changes.timezone !== undefined) assertTimeZone(changes.timezone);
    await this.get(tenantId, id);
    const budget = await this.repository.update(tenantId, id, changes, version);
    if (!budget) throw new WeirError('precondition_failed');
    return budget;
  }

  /** History stays; calls in flight still settle. @throws WeirError not_found */
  async delete(tenantId: string, id: string): Promise<void> {
    await this.get(tenantId, id);
    await this.repository.delete(tenantId, id);
  }

  periods(tenantId: string, id: string, limit: number): Promise<BudgetPeriod[]> {
    return this.repository.periods(tenantId, id, limit);
  }

  /** The period each budget is in now, by budget id; one that nothing has opened yet is absent. */
  current(tenantId: string, budgets: Budget[]): Promise<Map<string, BudgetPeriod>> {
    return this.repository.current(
      tenantId,
      budgets.map((budget) => budget.id),
    );
  }

  /** @throws WeirError not_found */
  async reset(tenantId: string, id: string, actor: string, reason: string | null): Promise<BudgetPeriod> {
    return this.repository.reset(await this.get(tenantId, id), actor, reason);
  }

  /** Closes every period that is over and opens its successor. Safe to run late, twice or at once. Answers the events, in order. */
  async rollPeriods(): Promise<{ event: string; period_id: bigint }[]> {
    const events: { event: string; period_id: bigint }[] = [];
    for (let step = await this.repository.roll(); step.length > 0; step = await this.repository.roll()) events.push(...step);
    return events;
  }

  untilNextBoundary(): Promise<number | null> {
    return this.repository.untilNextBoundary();
  }
}

function assertTimeZone(name: string): void {
  if (!isTimeZone(name))
    throw new WeirError('invalid_request', {
      param: 'timezone',
      message: `"${name}" is not an IANA time zone. Use a name such as "Europe/Berlin" or "UTC".`,
    });
}
