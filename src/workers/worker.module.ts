import { Inject, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { BudgetsModule } from '../budgets/index.js';
import { LedgerModule } from '../ledger/index.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { DATABASE_URL } from '../platform/postgres/index.js';
import { Queues } from '../platform/queue/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import { TenantsModule } from '../tenants/index.js';
import { AuditLedger } from './audit-ledger.js';
import { EraseTenants } from './erase-tenants.js';
import { KeepPartitions } from './keep-partitions.js';
import { OpenPeriods } from './open-periods.js';
import { ReapHolds } from './reap-holds.js';

@Module({
  imports: [BudgetsModule, LedgerModule, TenantsModule],
  providers: [OpenPeriods, ReapHolds, KeepPartitions, AuditLedger, EraseTenants],
})
export class WorkerModule implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly queues: Queues;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(DATABASE_URL) databaseUrl: string,
    @Inject(LOGGER) log: Logger,
    private readonly metrics: Metrics,
    private readonly openPeriods: OpenPeriods,
    private readonly reapHolds: ReapHolds,
    private readonly keepPartitions: KeepPartitions,
    private readonly auditLedger: AuditLedger,
    private readonly eraseTenants: EraseTenants,
  ) {
    this.queues = new Queues(config.redisUrl, databaseUrl, log);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.queues.prepare();
    const jobs = [this.openPeriods, this.reapHolds, this.keepPartitions, this.auditLedger, this.eraseTenants];
    this.queues.start(jobs, (queue, ok) => this.metrics.jobs.inc({ queue, result: ok ? 'completed' : 'failed' }));
  }

  onApplicationShutdown(): Promise<void> {
    return this.queues.stop();
  }
}
