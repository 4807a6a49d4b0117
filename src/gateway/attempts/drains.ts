import { Injectable } from '@nestjs/common';
import type { Id } from '../../kernel/ids.js';
import { Metrics } from '../../platform/telemetry/index.js';
import type { Untold } from './outcome.js';

/** How long a provider is read on for what it counts. */
export const DRAIN_MS = 30_000;
const MAX_PER_TENANT = 4;
const MOST = 32;

/** How a drain ended. Labels of a metric. */
export type DrainEnd = 'finished' | 'late' | 'broken' | 'gave_way' | 'shutdown';

const ENDS: Partial<Record<Untold, DrainEnd>> = { drain_late: 'late', drain_refused: 'gave_way', shutdown: 'shutdown' };

/** @param told the provider came to its end: with an answer, or with a refusal. */
export const drainEnd = (untold: Untold, told: boolean): DrainEnd => ENDS[untold] ?? (told ? 'finished' : 'broken');

/** A provider that is read on for its usage, after its client left or was told of a failure. */
export interface Drain {
  end(how: DrainEnd): void;
}

interface Running {
  tenantId: Id;
  giveWay(): void;
}

/** The providers that are being drained. No tenant takes more than its share of them. */
@Injectable()
export class Drains {
  /** Oldest first. */
  private readonly running = new Set<Running>();
  private readonly byTenant = new Map<Id, number>();

  constructor(private readonly metrics: Metrics) {
    metrics.watch('weir_drains_running', 'Calls whose client left, and whose provider is read on for its usage.', () => this.running.size);
  }

  /**
   * Null: the tenant has its share already, or all is taken and no tenant has two more than this one.
   * @param giveWay ends this one for a tenant that has fewer.
   */
  begin(tenantId: Id, giveWay: () => void): Drain | null {
    const own = this.byTenant.get(tenantId) ?? 0;
    if (own >= MAX_PER_TENANT || (this.running.size >= MOST && !this.makeRoom(own))) {
      this.metrics.drains.inc({ result: 'refused' });
      return null;
    }
    const drain: Running = { tenantId, giveWay };
    this.running.add(drain);
    this.byTenant.set(tenantId, own + 1);
    return {
      end: (how) => {
        if (!this.running.delete(drain)) return;
        const left = this.byTenant.get(tenantId)! - 1;
        if (left > 0) this.byTenant.set(tenantId, left);
        else this.byTenant.delete(tenantId);
        this.metrics.drains.inc({ result: how });
      },
    };
  }

  /** The oldest drain of the tenant with the most gives way to one that has at least two fewer. */
  private makeRoom(own: number): boolean {
    const most = Math.max(...this.byTenant.values());
    if (most < own + 2) return false;
    for (const drain of this.running) {
      if (this.byTenant.get(drain.tenantId) !== most) continue;
      drain.giveWay();
      return this.running.size < MOST;
    }
    return false;
  }
}
