import { Inject, Injectable } from '@nestjs/common';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { BudgetsService } from '../quotas/index.js';

/** Where very many end at once, the worker can be stopped in between. */
const PATIENCE_MS = 2_000;

/** Closes budget periods that are over and opens the next, at the boundary itself and every few seconds for what was missed. */
@Injectable()
export class OpenPeriods implements ScheduledJob {
  readonly queue = 'open-periods';
  readonly everyMs = 5_000;

  constructor(
    private readonly budgets: BudgetsService,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  async run(): Promise<JobResult> {
    const events = await this.budgets.rollPeriods(PATIENCE_MS);
    for (const { event, period_id } of events) this.log.info({ period: Number(period_id) }, event);
    const againInMs = await this.budgets.untilNextBoundary();
    return { againInMs, workLeft: againInMs === 0 && events.length > 0 };
  }
}
