import { Injectable } from '@nestjs/common';
import { LedgerService } from '../ledger/index.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';

/** Makes the monthly partitions of the ledger before they are needed. */
@Injectable()
export class AddPartitions implements ScheduledJob {
  readonly queue = 'add-partitions';
  readonly everyMs = 6 * 3_600_000;

  constructor(private readonly ledger: LedgerService) {}

  async run(): Promise<JobResult> {
    await this.ledger.ensurePartitions();
    return { againInMs: null };
  }
}
