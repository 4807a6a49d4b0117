import { Inject, Injectable } from '@nestjs/common';
import { RetentionRepository } from '../ledger/index.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';

/** Makes the monthly partitions of the ledger before they are needed, and lets go of what is older than the operator wants to keep. */
@Injectable()
export class KeepPartitions implements ScheduledJob {
  readonly queue = 'keep-partitions';
  readonly everyMs = 6 * 3_600_000;

  constructor(
    private readonly retention: RetentionRepository,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  async run(): Promise<JobResult> {
    await this.retention.ensurePartitions();
    const holds = await this.retention.purgeHolds();
    if (holds > 0) this.log.info({ holds }, 'holds that were resolved a week ago were removed');
    if (this.config.retentionMonths !== null) await this.dropMonths(this.config.retentionMonths);
    return { againInMs: null };
  }

  private async dropMonths(months: number): Promise<void> {
    let month = await this.retention.dropOldestMonth(months);
    for (; month !== null; month = await this.retention.dropOldestMonth(months)) {
      this.log.info({ month }, 'a month of calls and ledger entries was dropped; its sums stay with the budgets');
    }
  }
}
