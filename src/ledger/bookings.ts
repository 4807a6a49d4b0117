import { Slots, type Slotted } from '../kernel/slots.js';
import { Batcher } from '../platform/postgres/index.js';
import type { Logger } from '../platform/telemetry/index.js';
import { Journal } from './journal.js';
import type { Settlement } from './ledger.js';
import { encodeSettlement, type LedgerRepository } from './ledger.repository.js';
import { SHARDS, shardOf } from './shards.js';

/** A finished answer waits this long for Postgres; then its booking goes to the journal. */
const JOURNAL_AFTER_MS = 250;
/** A finished answer waits this long at most, should the journal refuse the booking too: then its client is not given the end. The booking goes on. */
const PATIENCE_MS = 10_000;
/** What only the journal holds is left to the next start after this long. */
const LEAVE_AFTER_MS = 3_000;
const JOURNAL_RETRY_MS = 1_000;
const TICK_MS = 50;
const RETRY_MS = { first: 50, most: 1_000 };

interface Pending extends Slotted {
  id: string;
  since: number;
  settlement: string;
  /** When it is due for the journal next; never again once it is there. */
  journalAt: number;
  journalled: boolean;
  overdue: boolean;
  release(safe: boolean): void;
}

interface Encoded {
  id: string;
  settlement: string;
}

/** Books how calls ended: in Postgres, again and again until it confirms; meanwhile in the journal. */
export class Bookings {
  private readonly batchers: Batcher<Encoded, boolean>[];
  private readonly pending = new Slots<Pending>();
  private timer: NodeJS.Timeout | null = null;
  private settled: (() => void) | null = null;
  private journal: Journal | null = null;
  private stopped = false;

  constructor(
    private readonly repository: LedgerRepository,
    private readonly log: Logger,
  ) {
    this.batchers = Array.from({ length: SHARDS }, () => new Batcher((batch: Encoded[]) => this.bookUntilConfirmed(batch)));
  }

  get size(): number {
    return this.pending.size;
  }

  /** Where to keep what Postgres does not take. Without it a finished answer waits for Postgres alone. */
  keepIn(path: string): void {
    this.journal = new Journal(path);
  }

  /**
   * Resolves with true when the booking is safe: committed, or synced to the journal. With false when it is neither after ten seconds; it is
   * tried on. `onBooked` follows the commit.
   */
  add(tenantId: string, settlement: Settlement, onBooked: () => void): Promise<boolean> {
    const encoded = encodeSettlement(settlement);
    return new Promise((release) => {
      const since = performance.now();
      const pending = {
        slot: -1,
        id: settlement.id,
        since,
        settlement: encoded,
        journalAt: since + JOURNAL_AFTER_MS,
        journalled: false,
        overdue: false,
        release,
      };
      this.pending.add(pending);
      this.timer ??= setInterval(() => this.look(), TICK_MS).unref();
      void this.batchers[shardOf(tenantId)]!.add({ id: settlement.id, settlement: encoded }).then((booked) => {
        if (!booked && this.stopped) return;
        onBooked();
        this.pending.delete(pending);
        if (pending.journalAt === Number.POSITIVE_INFINITY) this.forget(pending.id);
        release(true);
        if (this.pending.size === 0) this.rest();
      });
    });
  }

  /** Books what another process left in its journal. */
  async replay(settlements: Map<string, string>): Promise<void> {
    const all = [...settlements].map(([id, settlement]) => ({ id, settlement }));
    for (let i = 0; i < all.length; i += 256) await this.bookUntilConfirmed(all.slice(i, i + 256));
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
      this.log.error({ call: pending.id }, 'a call could not be booked yet; trying on');
      pending.release(false);
    }
  }

  private keep(journal: Journal, pending: Pending): void {
    pending.journalAt = Number.POSITIVE_INFINITY;
    journal.append(pending.id, pending.settlement).then(
      () => {
        pending.journalled = true;
        pending.release(true);
      },
      (error) => {
        pending.journalAt = performance.now() + JOURNAL_RETRY_MS;
        this.log.error({ err: error, call: pending.id }, 'the journal cannot be written');
      },
    );
  }

  private forget(id: string): void {
    this.journal!.forget(id).catch((error) => this.log.error({ err: error }, 'the journal could not be emptied'));
  }

  private async bookUntilConfirmed(batch: Encoded[]): Promise<boolean[]> {
    for (let waitMs = RETRY_MS.first; !this.stopped; waitMs = Math.min(waitMs * 2, RETRY_MS.most)) {
      try {
        await this.repository.settle(new Map(batch.map(({ id, settlement }) => [id, settlement])));
        return batch.map(() => true);
      } catch (error) {
        if (isRefusal(error)) return this.bookOneByOne(batch, error);
        this.log.warn({ err: error, calls: batch.length }, 'settlements are not confirmed; trying again');
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
    return batch.map(() => false);
  }

  /** Postgres refuses what one settlement says: the others must not wait for it. The reaper books that call by its hold. */
  private async bookOneByOne(batch: Encoded[], error: unknown): Promise<boolean[]> {
    if (batch.length > 1) return (await Promise.all(batch.map((one) => this.bookUntilConfirmed([one])))).flat();
    this.log.error({ err: error, call: batch[0]!.id }, 'a settlement cannot be stored; the call will be booked as an estimate');
    return [true];
  }
}

/** The statement is at fault, not the connection: data exception, constraint, syntax. */
const isRefusal = (error: unknown): boolean => /^(22|23|42)/.test(String((error as { code?: unknown } | null)?.code));
