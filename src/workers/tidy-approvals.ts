import { Injectable } from '@nestjs/common';
import { ApprovalsService } from '../approvals/index.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';

/** Where very many end at once, the worker can be stopped in between. */
const PATIENCE_MS = 2_000;

/** Ends approvals that nobody decided or used in time, and takes back what was not needed of what they granted. */
@Injectable()
export class TidyApprovals implements ScheduledJob {
  readonly queue = 'tidy-approvals';
  readonly everyMs = 10_000;

  constructor(private readonly approvals: ApprovalsService) {}

  async run(): Promise<JobResult> {
    await this.approvals.tidy(PATIENCE_MS);
    return { againInMs: null };
  }
}
