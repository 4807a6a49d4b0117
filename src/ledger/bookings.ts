import type { Nano } from '../kernel/money.js';
import { Slots, type Slotted } from '../kernel/slots.js';
import type { ServerClock } from '../platform/postgres/index.js';
import { Alarm, type Logger, type Metrics } from '../platform/telemetry/index.js';
import { encodeSettlement, encodeWithHold } from './encode-settlement.js';
import { Journal } from './journal.js';
import { Lanes } from './lanes.js';
import type { Booking, HeldFacts, Settlement } from './ledger.js';
import type { LedgerRepository } from './ledger.repository.js';
import { isLasting, mayBeOfOneCall } from './refusals.js';
import type { Weights } from './weights.js';

/** A finished answer waits this long for Postgres; then its booking goes to the journal. */
const JOURNAL_AFTER_MS = 250;
/** A finished answer waits this long at most, should the journal refuse the booking too: then its client is not given the end. The booking goes on. */
const PATIENCE_MS = 10_000;
/** What only the journal holds is left to the next start after this long. */
const LEAVE_AFTER_MS = 3_000;
const JOURNAL_RETRY_MS = 1_000;
const TICK_MS = 50;
const RETRY_MS = { first: 50, most: 1_000 };

type Awaitable<T> = T | Promise<T>;

/** A settlement on its way into Postgres. */
interface EncodedBooking {
  id: string;
  tenantId: string;
  settlement: string;
  /** With what the call was held for, should Postgres have lost that; null: it was never held. */
  whole(): string | null;
}

interface Pending extends Slotted, EncodedBooking {
  since: number;
  /** When it is due for the journal next; never again once it is there. */
  journalAt: number;
  journalled: boolean;
  overdue: boolean;
  release(booking: Booking): void;
}

/** Nothing more is to be done. `remaining`: what is left of its budgets, where this booking is the one that counted. */
type Booked = Omit<Booking, 'safe'>;

/** Books how calls ended: in Postgres, again and again until it confirms; meanwhile in the journal. */
export class Bookings {
  private readonly lanes: Lanes<EncodedBooking, Booked | null>;
  private readonly pending = new Slots<Pending>();
  private timer: NodeJS.Timeout | null = null;
  private settled: (() => void) | null = null;
  private journal: Journal | null = null;
  private stopped = false;
  private readonly unconfirmed: Alarm;

  constructor(
    private readonly gatewayId: string,
    private readonly repository: LedgerRepository,
    weights: Weights,
    private readonly clock: ServerClock,
    private readonly log: Logger,
    metrics: Metrics,
  ) {
    this.unconfirmed = new Alarm(log, 'settlements not confirmed; retrying', 'settlements are confirmed again');
    this.lanes = new Lanes(
      async (batch) => {
        const bookings = await this.bookUntilConfirmed(batch.map(({ item }) => item));
        for (const [place, { resolve }] of batch.entries()) resolve(bookings[place]!);
      },
      weights,
      ({ tenantId }) => weights.ofHeld(tenantId),
      (calls) => metrics.batches.observe({ statement: 'settle' }, calls),
    );
  }

  get size(): number {
    return this.pending.size;
  }

  /** Where to keep what Postgres does not take. Without it a finished answer waits for Postgres alone. */
  keepIn(path: string): void {
    this.journal = new Journal(path);
  }

  /**
   * Resolves when the booking is safe, committed or synced to the journal, or when it is neither after ten seconds; then it is tried on. `onBooked` follows the commit.
   * @param held null: the call was never held for certain, and is only to be booked should there be a hold.
   */
  add(tenantId: string, held: HeldFacts | null, settlement: Settlement, onBooked: () => void): Promise<Booking> {
    const { id, durationMs } = settlement;
    const encoded = encodeSettlement(settlement);
    return new Promise((release) => {
      const since = performance.now();
      const admittedAt = () => this.clock.now() - (performance.now() - since) - durationMs;
      const pending: Pending = {
        slot: -1,
        id,
        tenantId,
        since,
        settlement: encoded,
        whole: () => held && encodeWithHold(encoded, held, admittedAt()),
        journalAt: since + JOURNAL_AFTER_MS,
        journalled: false,
        overdue: false,
        release,
      };
      this.pending.add(pending);
      this.timer ??= setInterval(() => this.look(), TICK_MS).unref();
      void this.lanes
        .of(pending)
        .add(pending)
        .then((booked) => {
          if (!booked) return;
          this.pending.delete(pending);
          if (pending.journalAt === Number.POSITIVE_INFINITY) this.forget(pending.id);
          release({ safe: true, ...booked });
          if (this.pending.size === 0) this.rest();
          onBooked();
        });
    });
  }

  /** Books what another process left in its journal. */
  async replay(settlements: Map<string, string>): Promise<void> {
    const all = [...settlements].map(([id, settlement]) => ({ id, tenantId: '', settlement, whole: () => settlement }));
    for (let i = 0; i < all.length; i += 256) await Promise.all(await this.bookUntilConfirmed(all.slice(i, i + 256)));
  }

  /**
   * Resolves when no booking is under way: true when Postgres has them all, false when some are left to the journal, because Postgres is away
   * and the process must end.
   */
  async quiet(): Promise<boolean> {
    const deadline = performance.now() + LEAVE_AFTER_MS;
    while (this.pending.size > 0) {
      const onlyJournal = [...this.pending].every((pending) => pending.journalled);
      if (onlyJournal && performance.now() > deadline) break;
      await new Promise<void>((resolve) => {
        this.settled = resolve;
        setTimeout(resolve, TICK_MS);
      });
    }
    this.stopped = true;
    this.rest();
    await this.journal?.close(this.pending.size === 0);
    return this.pending.size === 0;
  }

  private rest(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    this.settled?.();
  }

  /** One look at all that wait, instead of a timer for each. */
  private look(): void {
    const now = performance.now();
    for (const pending of this.pending) {
      if (this.journal && now >= pending.journalAt) this.keep(this.journal, pending);
      if (now - pending.since < PATIENCE_MS || pending.journalled || pending.overdue) continue;
      pending.overdue = true;
      this.log.error({ call: pending.id }, 'settlement not confirmed; retrying');
      pending.release({ safe: false, booked: false, remaining: null });
    }
  }

  private keep(journal: Journal, pending: Pending): void {
    pending.journalAt = Number.POSITIVE_INFINITY;
    journal.append(pending.id, pending.whole() ?? pending.settlement).then(
      () => {
        pending.journalled = true;
        pending.release({ safe: true, booked: false, remaining: null });
      },
      (error) => {
        pending.journalAt = performance.now() + JOURNAL_RETRY_MS;
        this.log.error({ err: error, call: pending.id }, 'the journal cannot be written');
      },
    );
  }

  private forget(id: string): void {
    this.journal!.forget(id).catch((error) => this.log.error({ err: error }, 'the journal could not be cleared'));
  }

  /** Answers null for each when the process ends before that, and a promise for those that are booked apart. */
  private async bookUntilConfirmed(batch: EncodedBooking[]): Promise<Awaitable<Booked | null>[]> {
    for (let waitMs = RETRY_MS.first; !this.stopped; waitMs = Math.min(waitMs * 2, RETRY_MS.most)) {
      try {
        const remaining = await this.book(batch);
        this.unconfirmed.clear();
        return batch.map(({ id }) => ({ booked: true, remaining: remaining.get(id) ?? null }));
      } catch (error) {
        if (batch.length > 1 && mayBeOfOneCall(error)) return this.bookApart(batch);
        if (isLasting(error)) return batch.map(({ id }) => this.leave(id, error));
        this.unconfirmed.raise(error, { calls: batch.length });
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
    return batch.map(() => null);
  }

  /** Settling finds each call's hold, but where it was settled by an earlier try, or where Postgres has lost it, as after a failover. */
  private async book(batch: EncodedBooking[]): Promise<Map<string, Nano | null>> {
    const resolved = await this.settle(batch);
    if (resolved.size === batch.length) return resolved;
    const missing = new Map<string, string>();
    for (const one of batch) {
      const whole = resolved.has(one.id) ? null : one.whole();
      if (whole !== null) missing.set(one.id, whole);
    }
    if (missing.size === 0) return resolved;
    const { booked, held, unknown } = await this.repository.bookUnheld(this.gatewayId, missing);
    if (booked.length > 0) this.log.warn({ calls: booked }, 'Postgres lost the holds of these calls; they are booked without a hold');
    if (unknown.length > 0)
      this.log.warn({ calls: unknown }, 'settlements are too old to tell whether they were booked; they were not booked again');
    if (held.length > 0) await this.settle(batch.filter(({ id }) => held.includes(id)));
    return resolved;
  }

  private settle(batch: EncodedBooking[]): Promise<Map<string, Nano | null>> {
    return this.repository.settle(new Map(batch.map(({ id, settlement }) => [id, settlement])));
  }

  /** Postgres refuses what one settlement says: neither the others nor the next batch wait for it. */
  private bookApart(batch: EncodedBooking[]): Promise<Booked | null>[] {
    return batch.map(async (one) => (await this.bookUntilConfirmed([one]))[0]!);
  }

  /** Postgres will not take the settlement: the reaper books the call by its hold. */
  private leave(id: string, error: unknown): Booked {
    this.log.error({ err: error, call: id }, 'a settlement cannot be stored; the call will be booked as an estimate');
    return { booked: false, remaining: null };
  }
}
