import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { found } from '../kernel/found.js';
import type { Nano } from '../kernel/money.js';
import { isTimeZone } from '../kernel/time-zone.js';
import type { Scope } from '../ledger/index.js';
import { type Budget, type BudgetPeriod, type Filled, type Grant } from './budget.js';
import { type BudgetChanges, BudgetsRepository, type Counting, type NewBudget, type PeriodEvent } from './budgets.repository.js';
import type { MaxRules } from './capacity.repository.js';
import { EACH } from './scope.js';

const STATEMENTS_AT_ONCE = 1_000;
/** What Postgres says when grants come to more than may be added up. */
const OUT_OF_RANGE = '22003';
/** Tenants that are looked up together when periods roll. */
const TENANTS_AT_ONCE = 1_000;

@Injectable()
export class BudgetsService {
  constructor(private readonly repository: BudgetsRepository) {}

  /**
   * @param max how many the tenant may have; null: any number.
   * @throws WeirError invalid_request for an unknown time zone or a period that cannot be, too_many
   */
  async create(budget: NewBudget, max: MaxRules | null = null): Promise<Budget> {
    assertTimeZone(budget.timezone);
    assertWindow(budget);
    return this.repository.insert(budget, max);
  }

  /** @throws WeirError not_found */
  async get(tenantId: string, id: string): Promise<Budget> {
    return found('budget', await this.repository.find(tenantId, id));
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

  /** History stays; calls in flight still settle. @throws WeirError not_found, precondition_failed */
  async delete(tenantId: string, id: string, version: number | null = null): Promise<void> {
    await this.get(tenantId, id);
    if (!(await this.repository.delete(tenantId, id, version))) throw new WeirError('precondition_failed');
  }

  /** The latest first; of a template only those of one value, if it is given. The current one is among them, also where it has no row. */
  async periods(tenantId: string, id: string, limit: number, scopeValue: string | null = null): Promise<BudgetPeriod[]> {
    const [budget, periods] = await Promise.all([
      this.repository.find(tenantId, id),
      this.repository.periods(tenantId, id, limit, scopeValue),
    ]);
    const value = scopeValue ?? budget?.scopeValue;
    if (!budget || !value || value === EACH || ![value, EACH].includes(budget.scopeValue)) return periods;
    const [current] = await this.repository.current(tenantId, [{ budgetId: id, scopeValue: value }]);
    return current!.id === null ? [current!, ...periods].slice(0, limit) : periods;
  }

  /** The period each budget is in now, by budget id; a template has none of its own, it is absent. */
  async current(tenantId: string, budgets: Budget[]): Promise<Map<string, BudgetPeriod>> {
    const counted = budgets.filter(({ scopeValue }) => scopeValue !== EACH).map(({ id, scopeValue }) => ({ budgetId: id, scopeValue }));
    const periods = await this.repository.current(tenantId, counted);
    return new Map(periods.map((period) => [period.budgetId, period]));
  }

  /** The budgets that count calls of these scopes, with the value each counts them by. */
  async counting(tenantId: string, scopes: readonly Scope[]): Promise<Counting[]> {
    const counting = await this.repository.counting(tenantId, scopes);
    const periods = await this.repository.current(
      tenantId,
      counting.map(({ budget, scopeValue }) => ({ budgetId: budget.id, scopeValue })),
    );
    return counting.map((one, number) => ({ ...one, period: periods[number]! }));
  }

  /** The counters of these tenants of which at least so many percent are spent in their current periods. */
  filled(tenants: ReadonlyMap<string, number>): Promise<Filled[]> {
    return this.repository.filled([...tenants.keys()], [...tenants.values()]);
  }

  /** @param scopeValue which counter of a template; null otherwise. @throws WeirError not_found, invalid_request */
  async reset(tenantId: string, id: string, actor: string, reason: string | null, scopeValue: string | null = null): Promise<BudgetPeriod> {
    const budget = await this.get(tenantId, id);
    return this.repository.reset(budget, counterOf(budget, scopeValue), actor, reason);
  }

  /** @param scopeValue which counter of a template; null otherwise. @throws WeirError not_found, invalid_request */
  async grant(tenantId: string, id: string, scopeValue: string | null, amount: Nano, actor: string, reason: string | null): Promise<Grant> {
    const budget = await this.get(tenantId, id);
    return this.repository.grant(budget, counterOf(budget, scopeValue), amount, actor, reason).catch((error) => {
      if ((error as { code?: unknown }).code !== OUT_OF_RANGE) throw error;
      throw new WeirError('invalid_request', {
        param: 'amount',
        message: 'The grants of a period may come to "1000000000" together at most.',
      });
    });
  }

  /** The latest first. @throws WeirError not_found */
  async grants(tenantId: string, id: string, limit: number): Promise<Grant[]> {
    return this.repository.grants(tenantId, (await this.get(tenantId, id)).id, limit);
  }

  /**
   * Closes every period that is over and writes the statements that are due; no more than begins within `patienceMs`, the rest is for the next time.
   * Tenants take turns, a period each. Safe to run late, twice or at once. Answers the events, in order.
   */
  async rollPeriods(patienceMs = Number.POSITIVE_INFINITY): Promise<PeriodEvent[]> {
    const until = performance.now() + patienceMs;
    const events: PeriodEvent[] = [];
    await this.inTurn('roll', until, async (tenantId) => {
      const step = await this.repository.roll(tenantId);
      events.push(...step);
      return step.length > 0;
    });
    await this.inTurn('state', until, async (tenantId) => {
      return (await this.repository.writeStatements(tenantId, STATEMENTS_AT_ONCE)) === STATEMENTS_AT_ONCE;
    });
    return events;
  }

  /**
   * Takes a step for each tenant that has something to do, then another for each that has more, until the time is over. What fails for one tenant is
   * thrown once the others have had their steps.
   */
  private async inTurn(what: 'roll' | 'state', until: number, step: (tenantId: string) => Promise<boolean>): Promise<void> {
    const failures: unknown[] = [];
    let hasMore = true;
    for (let all = true; all && hasMore; hasMore = performance.now() < until) {
      const waiting = await this.repository.tenantsTo(what, TENANTS_AT_ONCE);
      all = waiting.length === TENANTS_AT_ONCE && failures.length === 0;
      for (let tenantId = waiting.shift(); tenantId; tenantId = performance.now() < until ? waiting.shift() : undefined) {
        const isUnfinished = await step(tenantId).catch((error) => {
          failures.push(error);
          return false;
        });
        if (isUnfinished) waiting.push(tenantId);
      }
    }
    if (failures.length > 0) throw failures[0];
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
      message: 'This budget has one counter per value. Pass "scope_value".',
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
