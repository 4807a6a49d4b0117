import { Inject, Injectable } from '@nestjs/common';
import { raised } from '../platform/postgres/index.js';
import { Alarm, LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import type { Audit, Breach } from './audit.js';
import { AuditRepository } from './audit.repository.js';

/** An audit may take this part of the time: between two it rests twenty times as long as the last one took. */
const REST_FACTOR = 20;
/** Postgres' code for a statement that its timeout ended. */
const STOPPED = '57014';

/** Watches the ledger while it runs: a breach is logged, counted and told once. */
@Injectable()
export class Auditor {
  private lastSuccess = 0;
  private breaches = 0;
  private restUntil = 0;
  /** What the last audit found, told or not. */
  private found = new Set<string>();
  private told = new Set<string>();
  private readonly slow: Alarm;

  constructor(
    private readonly repository: AuditRepository,
    metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.slow = new Alarm(log, 'the recent audit takes too long, so it was stopped', 'the recent audit is fast enough again');
    metrics.watchTotal(
      'weir_audit_timeouts_total',
      'Recent audits that were stopped because a statement took more than a second.',
      () => this.slow.raised,
    );
    metrics.watch(
      'weir_audit_last_success_timestamp_seconds',
      'When this process last audited the ledger and found nothing wrong; 0: not yet.',
      () => this.lastSuccess,
    );
    metrics.watch('weir_audit_breaches', 'Broken invariants that the last audit of this process found.', () => this.breaches);
  }

  /** Audits what is recent, unless it is time to rest; null then. */
  async watch(): Promise<Audit | null> {
    const startedAt = performance.now();
    if (startedAt < this.restUntil) return null;
    try {
      const audit = await this.repository.audit('recent');
      this.slow.clear();
      await this.tell(audit);
      return audit;
    } catch (error) {
      if (raised(STOPPED, error) === null) throw error;
      this.slow.raise('a statement took more than a second');
      return null;
    } finally {
      this.restUntil = performance.now() + REST_FACTOR * (performance.now() - startedAt);
    }
  }

  private async tell({ breaches }: Audit): Promise<void> {
    const certain = breaches.filter((breach) => this.isCertain(breach));
    this.found = new Set(breaches.map(({ key }) => key));
    this.breaches = certain.length;
    if (breaches.length === 0) this.lastSuccess = Date.now() / 1000;
    for (const breach of certain) {
      if (this.told.has(breach.key)) continue;
      this.log.error({ invariant: breach.invariant, breach: breach.key, remedy: breach.remedy }, breach.message);
      await this.repository.report(breach);
    }
    this.told = new Set(certain.map(({ key }) => key));
  }

  /** A hold whose lease is over may be about to be reaped: it counts when the next audit finds it again. */
  private isCertain({ key }: Breach): boolean {
    return !key.startsWith('I7:call:') || this.found.has(key);
  }
}
