import { Injectable } from '@nestjs/common';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';
import { TenantDeletion } from '../tenants/index.js';

/** A tenant with very many calls is done in several runs' time, and the worker can be stopped in between. */
const PATIENCE_MS = 30_000;

/** Goes on with blanking deleted tenants where a process ended, and blanks what was booked late. */
@Injectable()
export class EraseTenants implements ScheduledJob {
  readonly queue = 'erase-tenants';
  readonly everyMs = 60_000;

  constructor(private readonly deletion: TenantDeletion) {}

  async run(): Promise<JobResult> {
    await this.deletion.eraseAll(PATIENCE_MS);
    return { againInMs: null };
  }
}
