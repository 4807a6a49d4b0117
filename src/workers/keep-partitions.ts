import { Inject, Injectable } from '@nestjs/common';
import { AuditLogRepository } from '../audit-log/index.js';
import { BreakersRepository } from '../breakers/index.js';
import { IdempotencyService } from '../idempotency/index.js';
import { RetentionRepository } from '../ledger/index.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';

/** Where there is much to do, the worker can be stopped in between. */
const PATIENCE_MS = 2_000;

/** Makes the monthly partitions of the ledger before they are needed, and lets go of what is older than anybody wants to keep. */
@Injectable()
export class KeepPartitions implements ScheduledJob {
  readonly queue = 'keep-partitions';
  readonly everyMs = 60_000;

  constructor(
    private readonly retention: RetentionRepository,
    private readonly idempotency: IdempotencyService,
    private readonly breakers: BreakersRepository,
    private readonly auditLog: AuditLogRepository,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  async run(): Promise<JobResult> {
    await this.retention.ensurePartitions();
    for (const month of await this.retention.moveDefaultRows(PATIENCE_MS))
      this.log.warn({ month }, 'rows that were written before their month had a partition were moved to it');
    const removed = {
      ...(await this.retention.purge(PATIENCE_MS)),
      idempotency_keys: await this.idempotency.purge(PATIENCE_MS),
      breakers: await this.breakers.purge(PATIENCE_MS),
      audit_log: await this.auditLog.purge(this.config.auditLogMonths, PATIENCE_MS),
    };
    const purged = Object.entries(removed).filter(([, rows]) => rows > 0);
    if (purged.length > 0) this.log.info(Object.fromEntries(purged), 'old rows were removed');
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
