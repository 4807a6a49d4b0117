import { Injectable } from '@nestjs/common';
import { RollUpsRepository } from '../ledger/index.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';

/** Where there is much to do, the worker can be stopped in between. */
const PATIENCE_MS = 2_000;

/** Rolls up the entries of the ledger for reports. */
@Injectable()
export class RollUpUsage implements ScheduledJob {
  readonly queue = 'roll-up-usage';
  readonly everyMs = 60_000;

  constructor(private readonly rollUps: RollUpsRepository) {}

  async run(): Promise<JobResult> {
    const workLeft = await this.rollUps.rollUp(PATIENCE_MS);
    return { againInMs: workLeft ? 0 : null, workLeft };
  }
}
