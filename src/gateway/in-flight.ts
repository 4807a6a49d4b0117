import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { meteredTokens } from '../dialects/index.js';
import type { Elapsed } from '../kernel/elapsed.js';
import { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import { Slots, type Slotted } from '../kernel/slots.js';
import {
  type Attempt,
  type Checkpoint,
  type FlightNote,
  findDeadGateways,
  GatewaysRepository,
  journalPath,
  LedgerService,
  SentMarks,
} from '../ledger/index.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import type { SoFar } from './attempts/outcome.js';
import type { Reply } from './reply.js';

const HEARTBEAT_MS = 5_000;

/** What is to be booked of a call in flight once so many tokens of its output were seen; null: all that is held. */
type Estimate = (soFar: SoFar, seen: number) => Checkpoint | null;

/** A call that holds money and has not ended. */
export class InFlightCall implements Slotted {
  slot = -1;
  /** Where it is marked as sent; null: it was not sent. */
  private mark: number | null = null;
  /** Null before anything was sent. */
  private soFar: (() => SoFar) | null = null;
  /** The output limit that was sent. */
  private limit = 0;
  /** Tokens of output at the last note. */
  private seen = 0;
  /** Up to how many tokens of output the last note is good; null: it does not go by them. */
  private notedUpTo: number | null = null;
  /** The attempts of its hold that ended. */
  readonly ended: Attempt[] = [];
  /** The attempt that is made now. */
  underWay: Attempt | null = null;
  /** It waits for its next attempt, with nothing under way. */
  private isWaiting = false;
  private onNoted: ((isNoted: boolean) => void) | null = null;
  /** Breaks off what is under way at its provider, for good. */
  cutOff: (() => void) | null = null;
  /** Its process ends: nothing new is tried. */
  isCutOff = false;

  constructor(
    readonly id: Id,
    readonly reply: Reply,
    private readonly marks: SentMarks,
    private readonly held: Elapsed,
    private readonly sendWithinMs: number,
    private readonly estimate: Estimate,
    private readonly noteNow: (flight: InFlightCall) => void,
  ) {}

  /** The provider may have it, and bill it. */
  get sent(): boolean {
    return this.soFar !== null;
  }

  /**
   * Its request is about to be written.
   * @throws WeirError hold_expired when this process was stopped for so long that its money may be another call's by now.
   */
  sending(soFar: () => SoFar, limit: number): void {
    if (this.mark === null && this.reply.recorder?.isTooLate)
      throw new WeirError('hold_expired', { cause: 'its Idempotency-Key was claimed too long ago' });
    if (this.held.ms() > this.sendWithinMs) throw new WeirError('hold_expired', { cause: `held for ${Math.round(this.held.ms())} ms` });
    this.mark ??= this.marks.mark(this.id);
    this.soFar = soFar;
    this.limit = limit;
  }

  /** What was sent was refused, at no cost: until the next attempt is sent there is nothing to bill. */
  takenBack(): void {
    if (this.mark !== null) this.marks.erase(this.mark);
    this.mark = null;
    this.soFar = null;
    this.seen = 0;
    this.notedUpTo = null;
  }

  /** It waits until it may be sent again: should its process die meanwhile, nothing is to be booked. */
  waits(): void {
    this.isWaiting = true;
    this.noteNow(this);
  }

  /** It is about to be sent again. False: that could not be noted, so it must not be. */
  goesOn(): Promise<boolean> {
    this.isWaiting = false;
    return new Promise((resolve) => {
      this.onNoted = resolve;
      this.noteNow(this);
    });
  }

  /** There is something to note of it. One whose request was refused, and that does not wait, has nothing. */
  get isNotable(): boolean {
    return this.sent || this.isWaiting || this.onNoted !== null;
  }

  /** What is noted of it now, and whom to tell whether it was. */
  note(): { note: FlightNote; onNoted: ((isNoted: boolean) => void) | null } {
    const { id, isWaiting, onNoted } = this;
    this.onNoted = null;
    const attempts = isWaiting || !this.underWay ? this.ended : [...this.ended, this.underWay];
    return { note: { id, isSent: !isWaiting, checkpoint: this.sent ? this.checkpoint() : null, attempts }, onNoted };
  }

  /**
   * What is to be noted of one that was sent: with what comes until the next note, at twice the pace so far, so that it is not below what the
   * client got.
   */
  checkpoint(): Checkpoint | null {
    const soFar = this.soFar!();
    const seen = meteredTokens(soFar.facts);
    const upTo = Math.max(seen, Math.min(3 * seen - 2 * this.seen, this.limit));
    const checkpoint = this.estimate(soFar, upTo);
    this.seen = seen;
    this.notedUpTo = checkpoint && upTo;
    return checkpoint;
  }

  /** More of its answer came. Where that is more than was noted, it is noted again at once. */
  progressed(): void {
    if (this.notedUpTo === null || this.notedUpTo >= this.limit) return;
    if (meteredTokens(this.soFar!().facts) > this.notedUpTo) this.noteNow(this);
  }

  /** It is booked: a crash can no longer lose it. */
  booked(): void {
    if (this.mark !== null) this.marks.clear(this.mark);
  }
}

/** The calls being served: keeps their leases alive, remembers across a crash which were sent, and waits for them at the end. */
@Injectable()
export class InFlight {
  private readonly flights = new Slots<InFlightCall>();
  private marks: SentMarks | null = null;
  private timer: NodeJS.Timeout | null = null;
  private idle: (() => void) | null = null;
  /** Calls whose lease is to be extended, and of which is to be noted how far they are. */
  private readonly due = new Set<InFlightCall>();
  private isNoting = false;

  constructor(
    private readonly ledger: LedgerService,
    private readonly gateways: GatewaysRepository,
    metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    metrics.watch('weir_calls_in_flight', 'Calls being served now.', () => this.flights.size);
  }

  /** Resolves what processes that died here left open, then starts the heartbeat. */
  async start(): Promise<void> {
    const directory = join(this.config.home, 'gateways');
    this.marks = new SentMarks(directory, this.ledger.gatewayId);
    this.ledger.keepJournal(journalPath(directory, this.ledger.gatewayId));
    await this.gateways.announce(this.ledger.gatewayId);
    for (const dead of findDeadGateways(directory, this.ledger.gatewayId)) {
      await this.ledger.replay(dead.journal);
      const open =
        (dead.sent && (await this.ledger.expireGateway(dead.gatewayId, dead.sent))) ??
        (await this.gateways.forget(dead.gatewayId, 'successor', 'what it had sent is not known'));
      if (open > 0) this.log.warn({ calls: open }, 'resolving the calls of a gateway that died');
      dead.forget();
    }
    await this.ledger.reap();
    await this.ledger.warmUp();
    this.timer = setInterval(() => this.heartbeat(), HEARTBEAT_MS).unref();
  }

  get size(): number {
    return this.flights.size;
  }

  /** A call holds money. */
  begin(id: Id, reply: Reply, held: Elapsed, estimate: Estimate): InFlightCall {
    const flight = new InFlightCall(id, reply, this.marks!, held, this.ledger.sendWithinMs, estimate, (flight) => this.note([flight]));
    this.flights.add(flight);
    return flight;
  }

  /** Its client has the end. */
  finish(flight: InFlightCall): void {
    this.flights.delete(flight);
    if (this.flights.size === 0) this.idle?.();
  }

  /** Waits for the calls in flight; those still running after `limitMs` are cut off and booked. */
  async drain(limitMs: number): Promise<void> {
    const limit = setTimeout(() => this.cut(), limitMs);
    if (this.flights.size > 0) await new Promise<void>((resolve) => (this.idle = resolve));
    clearTimeout(limit);
    const allBooked = await this.ledger.quiet();
    if (this.timer) clearInterval(this.timer);
    this.marks?.close(allBooked);
    if (allBooked) await this.leave();
  }

  /** Nothing of this process is open any more; should Postgres know of something, as after a failover, nobody else would speak for it. */
  private async leave(): Promise<void> {
    await this.gateways
      .forget(this.ledger.gatewayId, 'itself', null)
      .catch((error) => this.log.warn({ err: error }, 'could not record in Postgres that this gateway stopped'));
  }

  /** Breaks off every call; each is booked as cut. */
  cut(): void {
    for (const flight of this.flights) {
      flight.isCutOff = true;
      flight.cutOff?.();
      flight.reply.abort();
    }
  }

  private heartbeat(): void {
    this.note([...this.flights].filter(({ sent }) => sent));
  }

  private note(flights: InFlightCall[]): void {
    for (const flight of flights) this.due.add(flight);
    if (!this.isNoting) void this.noteDue();
  }

  /** One statement at a time: an older note must not replace a newer one. */
  private async noteDue(): Promise<void> {
    this.isNoting = true;
    while (this.due.size > 0) {
      const notes = [...this.due].filter(({ isNotable }) => isNotable).map((flight) => flight.note());
      this.due.clear();
      const isNoted = await this.ledger.heartbeat(notes.map(({ note }) => note)).then(
        () => true,
        (error) => {
          this.log.warn({ err: error }, 'heartbeat not confirmed');
          return false;
        },
      );
      for (const { onNoted } of notes) onNoted?.(isNoted);
    }
    this.isNoting = false;
  }
}
