import { Injectable } from '@nestjs/common';
import { Auditor } from '../ledger/index.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';

/** Proves the ledger's invariants while it runs. */
@Injectable()
export class AuditLedger implements ScheduledJob {
  readonly queue = 'audit-ledger';
  readonly everyMs = 10_000;

  constructor(private readonly auditor: Auditor) {}

  async run(): Promise<JobResult> {
    await this.auditor.watch();
    return { againInMs: null };
  }
}
