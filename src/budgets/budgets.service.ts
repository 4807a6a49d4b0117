import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import type { Nano } from '../kernel/money.js';
import type { Scope } from '../ledger/index.js';
import { type Budget, type BudgetPeriod, EACH, type Grant, isTimeZone } from './budget.js';
import { type BudgetChanges, BudgetsRepository, type Counting, type NewBudget } from './budgets.repository.js';

const STATEMENTS_AT_ONCE = 200;

@Injectable()
export class BudgetsService {
  constructor(private readonly repository: BudgetsRepository) {}

  /** @throws WeirError invalid_request for an unknown time zone, or a period that cannot be. */
  create(budget: NewBudget): Promise<Budget> {
    assertTimeZone(budget.timezone);
    assertWindow(budget);
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

  /** A new limit, mode or threshold holds at once, a new time zone or anchor from the next period on. @throws WeirError not_found, precondition_failed, invalid_request */
  async update(tenantId: string, id: string, changes: BudgetChanges, version: number | null): Promise<Budget> {
    if (changes.timezone !== undefined) assertTimeZone(changes.timezone);
    const { periodKind } = await this.get(tenantId, id);
    if (changes.anchor) assertAnchor(periodKind);
    const budget = await this.repository.update(tenantId, id, changes, version);
    if (!budget) throw new WeirError('precondition_failed');
    return budget;
  }

  /** History stays; calls in flight still settle. @throws WeirError not_found */
  async delete(tenantId: string, id: string): Promise<void> {
    await this.get(tenantId, id);
    await this.repository.delete(tenantId, id);
  }

  periods(tenantId: string, id: string, limit: number, scopeValue: string | null = null): Promise<BudgetPeriod[]> {
    return this.repository.periods(tenantId, id, limit, scopeValue);
  }

  /** The period each budget is in now, by budget id; a template has none of its own, it is absent. */
  current(tenantId: string, budgets: Budget[]): Promise<Map<string, BudgetPeriod>> {
    return this.repository.current(
      tenantId,
      budgets.filter((budget) => budget.scopeValue !== EACH).map((budget) => budget.id),
    );
  }

  /** The budgets that count calls of these scopes, with the value each counts them by. */
  counting(tenantId: string, scopes: readonly Scope[]): Promise<Counting[]> {
    return this.repository.counting(tenantId, scopes);
  }

  /** @param scopeValue which counter of a template; null otherwise. @throws WeirError not_found, invalid_request */
  async reset(tenantId: string, id: string, actor: string, reason: string | null, scopeValue: string | null = null): Promise<BudgetPeriod> {
    const budget = await this.get(tenantId, id);
    return this.repository.reset(budget, counterOf(budget, scopeValue), actor, reason);
  }

  /** @param scopeValue which counter of a template; null otherwise. @throws WeirError not_found, invalid_request */
  async grant(tenantId: string, id: string, scopeValue: string | null, amount: Nano, actor: string, reason: string | null): Promise<Grant> {
    const budget = await this.get(tenantId, id);
    return this.repository.grant(budget, counterOf(budget, scopeValue), amount, actor, reason);
  }

  /** The latest first. @throws WeirError not_found */
  async grants(tenantId: string, id: string, limit: number): Promise<Grant[]> {
    return this.repository.grants(tenantId, (await this.get(tenantId, id)).id, limit);
  }

  /**
   * Closes every period that is over, opens its successor and writes the statements that are due; no more than begins within `patienceMs`, the
   * rest is for the next time. Safe to run late, twice or at once. Answers the events, in order.
   */
  async rollPeriods(patienceMs = Number.POSITIVE_INFINITY): Promise<{ event: string; period_id: bigint }[]> {
    const until = performance.now() + patienceMs;
    const events: { event: string; period_id: bigint }[] = [];
    let step = await this.repository.roll();
    for (; step.length > 0; step = performance.now() < until ? await this.repository.roll() : []) events.push(...step);
    while ((await this.repository.writeStatements(STATEMENTS_AT_ONCE)) === STATEMENTS_AT_ONCE && performance.now() < until);
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

/** Which counter is meant. @throws WeirError invalid_request */
function counterOf(budget: Budget, scopeValue: string | null): string {
  if (budget.scopeValue === EACH && scopeValue === null)
    throw new WeirError('invalid_request', {
      param: 'scope_value',
      message: 'This budget counts each value by itself. Say which with "scope_value".',
    });
  if (budget.scopeValue !== EACH && scopeValue !== null && scopeValue !== budget.scopeValue)
    throw new WeirError('invalid_request', { param: 'scope_value', message: `This budget counts ${budget.scopeValue} only.` });
  return scopeValue ?? budget.scopeValue;
}

function assertWindow({ periodKind, windowSeconds, anchor }: NewBudget): void {
  if ((periodKind === 'rolling') !== (windowSeconds !== undefined))
    throw new WeirError('invalid_request', {
      param: 'window_seconds',
      message: '"window_seconds" goes with the period "rolling", and is needed there.',
    });
  if (anchor) assertAnchor(periodKind);
}

function assertAnchor(periodKind: string): void {
  if (periodKind === 'lifetime' || periodKind === 'rolling')
    throw new WeirError('invalid_request', { param: 'anchor', message: `A budget with the period "${periodKind}" has no anchor.` });
}
