import { Inject, Injectable } from '@nestjs/common';
import { LedgerService } from '../ledger/index.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';

/** Resolves the holds of gateways that died or lost their connection. */
@Injectable()
export class ReapHolds implements ScheduledJob {
  readonly queue = 'reap-holds';
  readonly everyMs = 5_000;

  constructor(
    private readonly ledger: LedgerService,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  async run(): Promise<JobResult> {
    const reaped = await this.ledger.reap();
    if (reaped > 0) this.log.warn({ calls: reaped }, 'holds whose lease was over were resolved');
    return { againInMs: null };
  }
}
