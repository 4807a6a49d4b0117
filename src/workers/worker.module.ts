import { Inject, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ApiKeysModule } from '../api-keys/index.js';
import { ApprovalsModule } from '../approvals/index.js';
import { AuditLogModule } from '../audit-log/index.js';
import { BreakersModule } from '../breakers/index.js';
import { IdempotencyModule } from '../idempotency/index.js';
import { InferenceLocalModule } from '../inference-local/index.js';
import { LedgerModule } from '../ledger/index.js';
import { CONFIG, type Config, Reloads } from '../platform/config/index.js';
import { DIRECT_URL } from '../platform/postgres/index.js';
import { INSTALLATION, Queues } from '../platform/queue/index.js';
import { Health, LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import { ProviderAccountsModule } from '../provider-accounts/index.js';
import { QuotasModule } from '../quotas/index.js';
import { RoutingModule } from '../routing/index.js';
import { TenantsModule } from '../tenants/index.js';
import { WebhooksModule } from '../webhooks/index.js';
import { AuditLedger } from './audit-ledger.js';
import { DeliverWebhooks } from './deliver-webhooks.js';
import { EraseTenants } from './erase-tenants.js';
import { KeepPartitions } from './keep-partitions.js';
import { OpenPeriods } from './open-periods.js';
import { ProbeLocalModel } from './probe-local-model.js';
import { ReapHolds } from './reap-holds.js';
import { RollUpUsage } from './roll-up-usage.js';
import { TellExpiringKeys } from './tell-expiring-keys.js';
import { TidyApprovals } from './tidy-approvals.js';

@Module({
  imports: [
    ApiKeysModule,
    ApprovalsModule,
    AuditLogModule,
    BreakersModule,
    QuotasModule,
    IdempotencyModule,
    LedgerModule,
    TenantsModule,
    InferenceLocalModule,
    ProviderAccountsModule,
    RoutingModule,
    WebhooksModule,
  ],
  providers: [
    OpenPeriods,
    ReapHolds,
    KeepPartitions,
    AuditLedger,
    EraseTenants,
    ProbeLocalModel,
    TidyApprovals,
    DeliverWebhooks,
    TellExpiringKeys,
    RollUpUsage,
  ],
})
export class WorkerModule implements OnApplicationBootstrap, OnApplicationShutdown {
  private queues: Queues | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(DIRECT_URL) private readonly databaseUrl: string,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(INSTALLATION) private readonly installation: string,
    private readonly metrics: Metrics,
    private readonly openPeriods: OpenPeriods,
    private readonly reapHolds: ReapHolds,
    private readonly keepPartitions: KeepPartitions,
    private readonly auditLedger: AuditLedger,
    private readonly eraseTenants: EraseTenants,
    private readonly probeLocalModel: ProbeLocalModel,
    private readonly tidyApprovals: TidyApprovals,
    private readonly deliverWebhooks: DeliverWebhooks,
    private readonly tellExpiringKeys: TellExpiringKeys,
    private readonly rollUpUsage: RollUpUsage,
    health: Health,
    reloads: Reloads,
  ) {
    reloads.onReload((next) => this.queues?.use(next.redis));
    const fault = () => (this.queues ? this.queues.fault : 'the queues were not started yet');
    health.watch('queues', 'queues_unavailable', fault, { stopsCalls: false });
    metrics.watch('weir_queues_working', '1 while the queue store, Redis or Postgres, takes and gives jobs, else 0.', () =>
      fault() === null ? 1 : 0,
    );
    metrics.watchBy('weir_queue_jobs', 'Jobs in the queue store, by queue and state.', ['queue', 'state'], () =>
      (this.queues?.depths ?? []).map(({ queue, state, jobs }) => [{ queue, state }, jobs]),
    );
  }

  async onApplicationBootstrap(): Promise<void> {
    const { config, databaseUrl, installation } = this;
    const queues = new Queues({ redis: config.redis, databaseUrl, connections: config.databaseConnections.queue, installation }, this.log);
    await queues.prepare();
    this.queues = queues;
    const jobs = [
      this.openPeriods,
      this.reapHolds,
      this.keepPartitions,
      this.auditLedger,
      this.eraseTenants,
      this.probeLocalModel,
      this.tidyApprovals,
      this.deliverWebhooks,
      this.tellExpiringKeys,
      this.rollUpUsage,
    ];
    queues.start(jobs, (queue, ok) => {
      this.metrics.jobs.inc({ queue, result: ok ? 'completed' : 'failed' });
      if (ok) this.metrics.jobRuns.setToCurrentTime({ queue });
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.queues?.stop();
  }
}
