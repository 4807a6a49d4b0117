import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ConfigChanges } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { BudgetsService, type Filled } from '../quotas/index.js';
import { RouteBook, type RouteCondition } from '../routes/index.js';
import type { Scope } from './plan.js';

const READ_MS = 2_000;
/** Their counters are not among the scopes that are known before a call has its target. */
const OF_TARGETS: ReadonlySet<string> = new Set(['provider', 'model']);

/** Whether the conditions of routes hold, by a snapshot of nearly spent budgets that is read every two seconds where a route has one. */
@Injectable()
export class BudgetConditions implements OnModuleDestroy {
  private filled = new Map<string, Filled[]>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly routes: RouteBook,
    private readonly budgets: BudgetsService,
    @Inject(LOGGER) private readonly log: Logger,
    changes: ConfigChanges,
  ) {
    // It subscribes after the routes: they are known when this is read.
    changes.subscribe(() => this.read());
    this.timer = setInterval(() => void this.read(), READ_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** @param scopes that the call counts against, but for its provider and model. */
  hold(tenantId: string, { budget, usedPercent }: RouteCondition, scopes: readonly Scope[]): boolean {
    const counts = ({ budgetId, scopeKind, scopeValue }: Filled) =>
      (budget === null || budget === budgetId) &&
      (scopes.some(({ kind, value }) => kind === scopeKind && value === scopeValue) || (budget !== null && OF_TARGETS.has(scopeKind)));
    return (this.filled.get(tenantId) ?? []).some((one) => one.percent >= usedPercent && counts(one));
  }

  /** What it cannot read it keeps as it was: a route is no protection of a budget. */
  private async read(): Promise<void> {
    const conditions = this.routes.conditions();
    try {
      const filled = conditions.size === 0 ? [] : await this.budgets.filled(conditions);
      this.filled = Map.groupBy(filled, ({ tenantId }) => tenantId);
    } catch (error) {
      this.log.warn({ err: error }, 'could not read which budgets are nearly spent, so routes go by what was read before');
    }
  }
}
