import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import { Batcher } from '../platform/postgres/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import type { HoldAnswer, HoldRequest, Settlement } from './ledger.js';
import { LedgerRepository } from './ledger.repository.js';

/** Batches of different tenants need not wait for each other. */
const SHARDS = 4;
/** A hold that takes longer is refused: nothing has been sent yet. */
const HOLD_TIMEOUT_MS = 1_000;
/** A finished answer waits this long at most for its booking; the booking goes on. */
const SETTLE_WAIT_MS = 10_000;
/** Holds that wait for their turn, per shard, before more are turned away. */
const MAX_WAITING_HOLDS = 1_000;
const PATIENCE_TICK_MS = 1_000;
const RETRY_MS = { first: 50, most: 2_000 };
const REAP_LIMIT = 256;

/** Holds money before calls and books what they cost after. Money statements are retried with the same ids until they are confirmed. */
@Injectable()
export class LedgerService {
  /** This process, as the owner of holds. */
  readonly gatewayId = newId();
  private readonly holds: Batcher<HoldRequest, HoldAnswer>[];
  private readonly settlements: Batcher<Settlement, boolean>[];
  /** Bookings under way, the oldest first. */
  private readonly pending = new Set<{ id: string; since: number; release(): void }>();
  private patience: NodeJS.Timeout | null = null;
  private allBooked: (() => void) | null = null;

  constructor(
    private readonly repository: LedgerRepository,
    metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.holds = Array.from(
      { length: SHARDS },
      () => new Batcher((requests: HoldRequest[]) => within(HOLD_TIMEOUT_MS, repository.hold(this.gatewayId, requests))),
    );
    metrics.watch('weir_settlements_pending', 'Settlements that Postgres has not confirmed yet.', () => this.pending.size);
    this.settlements = Array.from({ length: SHARDS }, () => new Batcher((batch: Settlement[]) => this.settleUntilConfirmed(batch)));
  }

  /**
   * @throws WeirError ledger_unavailable when Postgres does not confirm in time, overloaded when too many holds wait; then nothing may be sent.
   */
  async hold(request: HoldRequest): Promise<HoldAnswer> {
    const batcher = this.holds[shardOf(request.tenantId)]!;
    if (batcher.backlog >= MAX_WAITING_HOLDS) throw new WeirError('overloaded');
    try {
      return await batcher.add(request);
    } catch (cause) {
      // The hold may have landed all the same: it is given back as soon as Postgres answers.
      void this.settle(request.tenantId, voided(request.id), () => {});
      throw new WeirError('ledger_unavailable', { cause });
    }
  }

  /** Books how a call ended. Resolves when it is committed, or after ten seconds, with the booking going on; `onBooked` follows the commit. */
  settle(tenantId: string, settlement: Settlement, onBooked: () => void): Promise<void> {
    return new Promise((release) => {
      const pending = { id: settlement.id, since: performance.now(), release };
      this.pending.add(pending);
      this.patience ??= setInterval(() => this.releaseImpatient(), PATIENCE_TICK_MS).unref();
      void this.settlements[shardOf(tenantId)]!.add(settlement).then(() => {
        onBooked();
        this.pending.delete(pending);
        release();
        if (this.pending.size === 0) this.allBooked?.();
      });
    });
  }

  heartbeat(calls: { id: string; outputTokens: number }[]): Promise<void> {
    return this.repository.heartbeat(calls);
  }

  /** Resolves what a dead gateway left open. Answers how many calls that were. */
  expireGateway(gatewayId: string, sent: string[]): Promise<number> {
    return this.repository.expireGateway(gatewayId, sent);
  }

  /** Resolves every hold whose lease is over. */
  async reap(): Promise<number> {
    let total = 0;
    for (let reaped = REAP_LIMIT; reaped === REAP_LIMIT; ) {
      reaped = (await this.repository.reap(REAP_LIMIT)).length;
      total += reaped;
    }
    return total;
  }

  ensurePartitions(): Promise<void> {
    return this.repository.ensurePartitions();
  }

  /** Resolves when no booking is under way. */
  async quiet(): Promise<void> {
    if (this.pending.size > 0) await new Promise<void>((resolve) => (this.allBooked = resolve));
    if (this.patience) clearInterval(this.patience);
  }

  /** One look at all that wait, instead of a timer for each. */
  private releaseImpatient(): void {
    const before = performance.now() - SETTLE_WAIT_MS;
    for (const { id, since, release } of this.pending) {
      if (since > before) return;
      this.log.error({ call: id }, 'a call could not be booked yet; trying on');
      release();
    }
  }

  private async settleUntilConfirmed(batch: Settlement[]): Promise<boolean[]> {
    for (let waitMs = RETRY_MS.first; ; waitMs = Math.min(waitMs * 2, RETRY_MS.most)) {
      try {
        const resolved = await this.repository.settle(batch);
        return batch.map((settlement) => resolved.has(settlement.id));
      } catch (error) {
        if (isRefusal(error)) return this.settleOneByOne(batch, error);
        this.log.warn({ err: error, calls: batch.length }, 'settlements are not confirmed; trying again');
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  /** Postgres refuses what one settlement says: the others must not wait for it. The reaper books that call by its hold. */
  private async settleOneByOne(batch: Settlement[], error: unknown): Promise<boolean[]> {
    if (batch.length > 1) return (await Promise.all(batch.map((settlement) => this.settleUntilConfirmed([settlement])))).flat();
    this.log.error({ err: error, call: batch[0]!.id }, 'a settlement cannot be stored; the call will be booked as an estimate');
    return [false];
  }
}

/** The statement is at fault, not the connection: data exception, constraint, syntax. */
const isRefusal = (error: unknown): boolean => /^(22|23|42)/.test(String((error as { code?: unknown } | null)?.code));

const shardOf = (tenantId: string): number => Number.parseInt(tenantId.slice(-2), 16) % SHARDS;

const NOTHING = { input: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: null };

/** A call that was never sent because its hold was not confirmed in time. */
const voided = (id: string): Settlement => ({
  id,
  state: 'voided',
  amount: null,
  status: 'failed',
  httpStatus: 503,
  errorCode: 'ledger_unavailable',
  finishReason: null,
  estimated: false,
  servedModel: null,
  attempts: [],
  firstByteMs: null,
  durationMs: 0,
  usage: NOTHING,
  usageRaw: null,
  rates: null,
});

/** Rejects when the promise takes longer. */
function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not confirmed within ${ms} ms`)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
