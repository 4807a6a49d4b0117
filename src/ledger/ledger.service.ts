import { Inject, Injectable } from '@nestjs/common';
import { Elapsed } from '../kernel/elapsed.js';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { Batcher, ServerClock } from '../platform/postgres/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import { Bookings } from './bookings.js';
import { deadlineMs, sendWithinMs } from './deadline.js';
import { holdApart } from './hold-apart.js';
import { Lanes } from './lanes.js';
import type { Adjustment, BookedCall, Booking, DatedAnswer, HeldFacts, HoldAnswer, HoldRequest, Settlement } from './ledger.js';
import { LedgerRepository } from './ledger.repository.js';
import { Reachability, TooSlow } from './reachability.js';
import { SHARDS } from './shards.js';
import { Weights } from './weights.js';

/** Holds that wait for their turn, per shard, before more are turned away: of a tenant that has more than its part of them. */
const MAX_WAITING_HOLDS = 1_000;
const HOLD_RETRY_MS = 20;
/** A batch that waits for a lock, and then its tenants apart, must have their answers while there is time left. */
const LOCK_TRIES = 3;
const RETRY_MS = { first: 100, most: 2_000 };
const REAP_LIMIT = 256;
const TOO_SLOW = 'The ledger answers too slowly, so no call is sent. Try again shortly.';

/** Holds money before calls and books what they cost after. Money statements are retried with the same ids until they are confirmed. */
@Injectable()
export class LedgerService {
  /** This process, as the owner of holds. */
  readonly gatewayId = newId();
  /** How long a call may take, from its hold on. */
  readonly deadlineMs: number;
  /** How old a hold may be when the request of its call is written. */
  readonly sendWithinMs: number;
  private readonly weights = new Weights();
  private readonly holds: Lanes<HoldRequest, DatedAnswer>;
  private readonly bookings: Bookings;
  private readonly abandoned: Batcher<{ id: string; tenantId: string }, void>;
  /** Calls whose hold was given up and may land still. */
  private givenUp = 0;
  private stopped = false;
  /** When Postgres is silent for longer, a batch of holds and all that wait behind it are refused: nothing has been sent yet. */
  private readonly patienceMs: number;
  private readonly reachability: Reachability;

  constructor(
    private readonly repository: LedgerRepository,
    clock: ServerClock,
    metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(CONFIG) { timeouts }: Pick<Config, 'timeouts'>,
  ) {
    this.patienceMs = timeouts.ledgerMs;
    this.reachability = new Reachability(this.patienceMs, (timeoutMs) => repository.probe(timeoutMs));
    this.deadlineMs = deadlineMs(timeouts);
    this.sendWithinMs = sendWithinMs(timeouts);
    this.holds = new Lanes(
      (requests, lane) => this.holdInTime(lane, requests),
      this.weights,
      ({ tenantId, scopes }) => this.weights.of(tenantId, scopes.length),
      MAX_WAITING_HOLDS,
    );
    this.abandoned = new Batcher(async (holds) => {
      await this.abandonUntilConfirmed(holds);
      return holds.map(() => undefined);
    });
    this.bookings = new Bookings(this.gatewayId, repository, this.weights, clock, log);
    metrics.watch('weir_settlements_pending', 'Settlements that Postgres has not confirmed yet.', () => this.bookings.size);
  }

  /** Where bookings are kept while Postgres is away. */
  keepJournal(path: string): void {
    this.bookings.keepIn(path);
  }

  /** Resolves when the first calls will not wait for what only comes once. */
  async warmUp(): Promise<void> {
    await this.repository.warmUp(2 * SHARDS);
    await this.reachability.measure();
  }

  /** Books what a dead gateway left in its journal. */
  replay(settlements: Map<string, string>): Promise<void> {
    return this.bookings.replay(settlements);
  }

  /**
   * Counts a call by its limits and holds its worst case on its budgets, all or none.
   * @throws WeirError ledger_unavailable when Postgres does not confirm in time, overloaded when too many holds of the tenant wait; then nothing may be sent.
   */
  async hold(request: HoldRequest): Promise<DatedAnswer> {
    const lane = this.holds.of(request);
    if (lane.isFullFor(request)) throw new WeirError('overloaded');
    return lane.add(request);
  }

  /**
   * Books how a call ended. Resolves when that is safe, or when neither Postgres nor the journal has taken it in time. `onBooked` follows the commit.
   */
  settle(held: HeldFacts, settlement: Settlement, onBooked: () => void): Promise<Booking> {
    return this.bookings.add(held.tenantId, held, settlement, onBooked);
  }

  /** Calls of a tenant that were booked, by time of admission, after the last of the page before. */
  bookedCalls(...asked: Parameters<LedgerRepository['bookedCalls']>): Promise<BookedCall[]> {
    return this.repository.bookedCalls(...asked);
  }

  /** Whether the platform paid for any of these calls, or may have. */
  platformPaid(...asked: Parameters<LedgerRepository['platformPaid']>): Promise<boolean> {
    return this.repository.platformPaid(...asked);
  }

  /** Books corrections, each once. Answers how many this booked. */
  adjust(tenantId: string, adjustments: Adjustment[], actor: string, reason: string | null): Promise<number> {
    return this.repository.adjust(tenantId, adjustments, actor, reason);
  }

  heartbeat(calls: { id: string; outputTokens: number }[]): Promise<void> {
    return this.repository.heartbeat(calls);
  }

  /** Resolves what a dead gateway left open. Answers how many calls that were. */
  expireGateway(gatewayId: string, sent: string[]): Promise<number> {
    return this.repository.expireGateway(gatewayId, sent);
  }

  /** Resolves every hold that is due. */
  async reap(): Promise<number> {
    let total = 0;
    for (let reaped = REAP_LIMIT; reaped === REAP_LIMIT; ) {
      reaped = (await this.repository.reap(REAP_LIMIT)).length;
      total += reaped;
    }
    return total;
  }

  /**
   * Resolves when no booking is under way: true when Postgres has them all, false when some are left to the journal, or holds that were given
   * up to the next start.
   */
  async quiet(): Promise<boolean> {
    const allBooked = await this.bookings.quiet();
    this.stopped = true;
    return allBooked && this.givenUp === 0;
  }

  private async holdInTime(lane: Batcher<HoldRequest, DatedAnswer>, requests: HoldRequest[]): Promise<(DatedAnswer | Error)[]> {
    // From before the statement: this process may be stopped while the answer waits for it.
    const since = new Elapsed();
    // A lock is waited for no longer than the patience, however slow Postgres is: the other calls of the batch wait for it too.
    const lockDeadline = performance.now() + this.patienceMs;
    const waiting = { isOver: false };
    try {
      const held = await this.reachability.within(holdApart(requests, (part) => this.holdAgain(part, waiting), this.weights, lockDeadline));
      return held.map((answer, number) => (answer instanceof Error ? this.refuse(requests[number]!, answer) : { ...answer, since }));
    } catch (cause) {
      const error = unavailable(cause, cause instanceof TooSlow);
      lane.rejectWaiting(error);
      // The holds may land all the same, now or later: they are given back as soon as Postgres answers.
      for (const { id, tenantId } of requests) void this.giveUp(id, tenantId);
      throw error;
    } finally {
      waiting.isOver = true;
    }
  }

  /** A connection that broke, or a batch that lost against another, is tried again with the same ids as long as the calls wait. */
  private async holdAgain(requests: HoldRequest[], waiting: { isOver: boolean }): Promise<HoldAnswer[]> {
    for (;;) {
      const startedAt = performance.now();
      const heard = () => this.reachability.heard(performance.now() - startedAt);
      try {
        const answers = await this.repository.hold(this.gatewayId, requests, this.patienceMs / LOCK_TRIES);
        heard();
        return answers;
      } catch (error) {
        if (!isTransient(error)) heard();
        if (!isTransient(error) || waiting.isOver) throw error;
        await new Promise((resolve) => setTimeout(resolve, HOLD_RETRY_MS));
      }
    }
  }

  /** Postgres refuses this call alone, or waits for a lock on its rows. An earlier try of it may have landed: it is given back. */
  private refuse({ id, tenantId }: HoldRequest, cause: Error): WeirError {
    void this.giveUp(id, tenantId);
    const isLocked = (cause as { code?: unknown }).code === '55P03';
    if (!isLocked) this.log.error({ err: cause, call: id, tenant: tenantId }, 'a call cannot be held; the others of its batch are');
    return isLocked ? unavailable(cause, true) : new WeirError('internal_error', { cause });
  }

  private async giveUp(id: string, tenantId: string): Promise<void> {
    this.givenUp++;
    await this.abandoned.add({ id, tenantId });
    if (this.stopped) return;
    this.givenUp--;
    await this.bookings.add(tenantId, null, voided(id), () => {});
  }

  private async abandonUntilConfirmed(holds: { id: string; tenantId: string }[]): Promise<void> {
    for (let waitMs = RETRY_MS.first; !this.stopped; waitMs = Math.min(waitMs * 2, RETRY_MS.most)) {
      try {
        return await this.repository.abandon(this.gatewayId, holds);
      } catch (error) {
        this.log.warn({ err: error, calls: holds.length }, 'holds that were given up are not confirmed; trying again');
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }
}

/** pg's own errors have no code when a connection ends; 08, 57 and 53 are the server's words for it, 40 a lost race. */
function isTransient(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === undefined || /^(08|40|53|57|E[A-Z]+$)/.test(String(code));
}

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

const unavailable = (cause: unknown, isSlow: boolean): WeirError =>
  new WeirError('ledger_unavailable', { cause, ...(isSlow && { message: TOO_SLOW }) });
