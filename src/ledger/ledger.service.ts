import { Inject, Injectable } from '@nestjs/common';
import { Elapsed } from '../kernel/elapsed.js';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import { usdNumber } from '../kernel/money.js';
import { NO_USAGE } from '../kernel/usage.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { type Asked, Batcher, ServerClock } from '../platform/postgres/index.js';
import { Alarm, LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import { Bookings } from './bookings.js';
import { deadlineMs, sendWithinMs } from './deadline.js';
import type { DatedAnswer, HoldAnswer } from './hold-answer.js';
import { type AskedHold, holdInParts } from './hold-in-parts.js';
import { Lanes } from './lanes.js';
import type {
  Adjustment,
  BookedCall,
  Booking,
  FlightNote,
  HeldFacts,
  HoldRequest,
  PresentedApproval,
  ReapedCall,
  Settlement,
} from './ledger.js';
import { LedgerRepository } from './ledger.repository.js';
import { Reachability, TooSlow } from './reachability.js';
import { isLasting, isLocked, isTransient } from './refusals.js';
import { SHARDS } from './shards.js';
import { Weights } from './weights.js';

/** Holds that wait for their turn, per shard, before more are turned away: of a tenant that has more than its part of them. */
const MAX_WAITING_HOLDS = 1_000;
const HOLD_RETRY_MS = 20;
/** A batch that waits for a lock, and then its tenants apart, must have their answers while there is time left. */
const LOCK_TRIES = 3;
const RETRY_MS = { first: 100, most: 2_000 };
const REAP_LIMIT = 256;
/** How often it is looked whether anything can be held again. */
const CHECK_MS = 1_000;
const TOO_SLOW = 'The ledger answers too slowly, so no call is sent. Try again shortly.';

/** Holds money before calls and books what they cost after. Money statements are retried with the same ids until they are confirmed. */
@Injectable()
export class LedgerService {
  /** This process, as the owner of holds. */
  readonly gatewayId = newId();
  private readonly weights = new Weights();
  private readonly holds: Lanes<HoldRequest, DatedAnswer>;
  private readonly bookings: Bookings;
  private readonly abandoned: Batcher<{ id: string; tenantId: string }, void>;
  /** Calls whose hold was given up and may land still. */
  private givenUp = 0;
  private stopped = false;
  /** Holds that are not booked yet. */
  private open = 0;
  private readonly timeouts: Config['timeouts'];
  private readonly reachability: Reachability;
  /** Also a hold of nothing gets no answer in time. */
  private readonly alarm: Alarm;
  private readonly unconfirmed: Alarm;
  private checking: NodeJS.Timeout | null = null;

  constructor(
    private readonly repository: LedgerRepository,
    clock: ServerClock,
    private readonly metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(CONFIG) { timeouts }: Pick<Config, 'timeouts'>,
  ) {
    this.timeouts = timeouts;
    this.alarm = new Alarm(log, 'the ledger holds nothing in time, so calls are refused', 'the ledger holds again');
    this.unconfirmed = new Alarm(
      log,
      'holds that were given up are not confirmed and are tried again',
      'holds that were given up are confirmed again',
    );
    this.reachability = new Reachability(timeouts, (timeoutMs) => repository.probe(timeoutMs));
    this.holds = new Lanes(
      (batch, lane) => this.holdInTime(lane, batch),
      this.weights,
      ({ tenantId, scopes }) => this.weights.of(tenantId, scopes.length),
      (calls) => metrics.batches.observe({ statement: 'hold' }, calls),
      MAX_WAITING_HOLDS,
    );
    this.abandoned = new Batcher(async (batch) => {
      await this.abandonUntilConfirmed(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    });
    this.bookings = new Bookings(this.gatewayId, repository, this.weights, clock, log, metrics);
    metrics.watch('weir_holds_open', 'Holds of this process that are not booked yet.', () => this.open);
    metrics.watch('weir_holds_waiting', 'Calls that wait until a statement takes their hold.', () => this.holds.size);
    metrics.watch('weir_settlements_pending', 'Settlements that Postgres has not confirmed yet.', () => this.bookings.size);
  }

  /** Why no call can be held; null: they can. */
  get fault(): string | null {
    return this.alarm.reason;
  }

  /** How long a call may take, from its hold on. */
  get deadlineMs(): number {
    return deadlineMs(this.timeouts);
  }

  /** How old a hold may be when the request of its call is written. */
  get sendWithinMs(): number {
    return sendWithinMs(this.timeouts);
  }

  /** When Postgres is silent for longer, a batch of holds and all that wait behind it are refused: nothing has been sent yet. */
  private get patienceMs(): number {
    return this.timeouts.ledgerMs;
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
    const answer = request.approval ? await this.holdApproved(request, request.approval) : await this.holdInBatch(request);
    if (answer.verdict === 'held') this.open++;
    return answer;
  }

  private holdInBatch(request: HoldRequest): Promise<DatedAnswer> {
    const lane = this.holds.of(request);
    if (lane.isFullFor(request)) throw new WeirError('overloaded');
    return lane.add(request);
  }

  /** By itself: such calls are few, and a person has waited for each. */
  private async holdApproved(request: HoldRequest, approval: PresentedApproval): Promise<DatedAnswer> {
    const since = new Elapsed();
    try {
      return { ...(await this.repository.holdApproved(this.gatewayId, request, approval, this.patienceMs / LOCK_TRIES)), since };
    } catch (cause) {
      throw this.refuse(request, cause);
    }
  }

  /**
   * Books how a call ended. Resolves when that is safe, or when neither Postgres nor the journal has taken it in time. `onBooked` follows the commit.
   */
  settle(held: HeldFacts, settlement: Settlement, onBooked: () => void): Promise<Booking> {
    return this.bookings.add(held.tenantId, held, settlement, () => {
      this.open--;
      onBooked();
    });
  }

  /** Attempts of a tenant's calls that were booked, by time of admission, after the last of the page before. */
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

  /** Extends the leases of calls in flight, and notes what is to be booked of each should this process die; null: all that is held. */
  heartbeat(calls: readonly FlightNote[]): Promise<void> {
    return this.repository.heartbeat(calls);
  }

  /** Resolves what a dead gateway left open. Answers how many calls that were; null: Postgres is older than what it had sent. */
  async expireGateway(gatewayId: string, sent: string[]): Promise<number | null> {
    return (await this.repository.knowsLast(sent)) ? this.repository.expireGateway(gatewayId, sent) : null;
  }

  /** Resolves every hold that is due. Answers how many. */
  async reap(): Promise<number> {
    let total = 0;
    for (let reaped = REAP_LIMIT; reaped === REAP_LIMIT; ) {
      const calls = await this.repository.reap(REAP_LIMIT);
      for (const call of calls) this.countReaped(call);
      reaped = calls.length;
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

  private countReaped({ isBooked, amount, held }: ReapedCall): void {
    if (!isBooked) return;
    const basis = amount === held ? 'hold' : 'checkpoint';
    this.metrics.countEstimate('gateway_lost', basis, amount === null ? null : usdNumber(amount), held === null ? null : usdNumber(held));
  }

  private async holdInTime(lane: Batcher<HoldRequest, DatedAnswer>, batch: Asked<HoldRequest, DatedAnswer>[]): Promise<void> {
    // From before the statement: this process may be stopped while the answer waits for it.
    const since = new Elapsed();
    // A lock is waited for no longer than the patience, however slow Postgres is: the other calls of the batch wait for it too.
    const lockDeadline = performance.now() + this.patienceMs;
    const waiting = { isOver: false };
    const unanswered = new Set(batch);
    const asked = batch.map((one): AskedHold => {
      const isFirstAnswer = () => unanswered.delete(one);
      return {
        item: one.item,
        resolve: (answer) => isFirstAnswer() && one.resolve({ ...answer, since }),
        reject: (cause) => isFirstAnswer() && one.reject(this.refuse(one.item, cause)),
      };
    });
    try {
      await this.reachability.within(holdInParts(asked, (part) => this.holdAgain(part, waiting), this.weights, lockDeadline));
    } catch (cause) {
      const error = unavailable(cause, cause instanceof TooSlow);
      lane.rejectWaiting(error);
      this.checkSoon(0);
      for (const { item, reject } of unanswered) {
        // The hold may land all the same, now or later: it is given back as soon as Postgres answers.
        void this.giveUp(item.id, item.tenantId);
        reject(error);
      }
      unanswered.clear();
    } finally {
      waiting.isOver = true;
    }
  }

  /** Calls may be refused for what one tenant has locked. Whether nothing can be held is asked for apart, until it can. */
  private checkSoon(ms: number): void {
    this.checking ??= setTimeout(async () => {
      const failure = await this.reachability.within(this.repository.hold(this.gatewayId, [])).then(
        () => null,
        (error: Error) => error,
      );
      this.checking = null;
      if (!failure) return this.alarm.clear();
      this.alarm.raise(`${failure.message}; see WEIR_LEDGER_TIMEOUT_MS`);
      if (!this.stopped) this.checkSoon(CHECK_MS);
    }, ms).unref();
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
  private refuse({ id, tenantId }: HoldRequest, cause: unknown): WeirError {
    void this.giveUp(id, tenantId);
    if (!isLasting(cause)) return unavailable(cause, isLocked(cause));
    this.log.error({ err: cause, call: id, tenant: tenantId }, 'a call could not be held; the others of its batch were');
    return new WeirError('internal_error', { cause });
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
        await this.repository.abandon(this.gatewayId, holds);
        return this.unconfirmed.clear();
      } catch (error) {
        this.unconfirmed.raise(error, { calls: holds.length });
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }
}

/** A call that was never sent because its hold was not confirmed in time. */
const voided = (id: string): Settlement => ({
  id,
  state: 'voided',
  amount: null,
  providerCost: null,
  status: 'failed',
  httpStatus: 503,
  errorCode: 'ledger_unavailable',
  finishReason: null,
  estimated: false,
  servedModel: null,
  attempts: [],
  firstByteMs: null,
  durationMs: 0,
  usage: NO_USAGE,
  usageRaw: null,
  rates: null,
});

const unavailable = (cause: unknown, isSlow: boolean): WeirError =>
  new WeirError('ledger_unavailable', { cause, ...(isSlow && { message: TOO_SLOW }) });
