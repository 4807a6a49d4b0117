import { Inject, Injectable } from '@nestjs/common';
import { formatUsd, type Nano, usdNumber } from '../kernel/money.js';
import { GatewaysRepository, LedgerService } from '../ledger/index.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';

/** Resolves the holds of gateways that died or lost their connection, and says what stays held apart for them. */
@Injectable()
export class ReapHolds implements ScheduledJob {
  readonly queue = 'reap-holds';
  readonly everyMs = 5_000;
  private heldApart: Nano = 0n;

  constructor(
    private readonly ledger: LedgerService,
    private readonly gateways: GatewaysRepository,
    metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    metrics.watch('weir_held_apart_usd', 'USD held apart for calls of gateways that fell silent, until they are known to be gone.', () =>
      usdNumber(this.heldApart),
    );
  }

  async run(): Promise<JobResult> {
    const reaped = await this.ledger.reap();
    if (reaped > 0) this.log.warn({ calls: reaped }, 'expired holds were resolved');
    const { calls, amount } = await this.gateways.heldApart();
    if (amount > this.heldApart)
      this.log.warn({ calls, usd: formatUsd(amount) }, 'money stays held apart for silent gateways; see GET /v1/platform/gateways');
    this.heldApart = amount;
    return { againInMs: null };
  }
}
