import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import type { Elapsed } from '../kernel/elapsed.js';
import { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import { Slots, type Slotted } from '../kernel/slots.js';
import { findDeadGateways, GatewaysRepository, journalPath, LedgerService, SentMarks } from '../ledger/index.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import type { Reply } from './reply.js';

const HEARTBEAT_MS = 5_000;

/** A call that holds money and has not ended. */
export class Flight implements Slotted {
  slot = -1;
  /** Where it is marked as sent; null: it was not sent. */
  private mark: number | null = null;
  /** Tokens of output seen so far; null before anything was sent. */
  private outputTokens: (() => number) | null = null;
  /** The output limit that was sent. */
  private limit = 0;
  private noted = 0;
  /** Breaks off what is under way at its provider, for good. */
  cutOff: (() => void) | null = null;

  constructor(
    readonly id: Id,
    readonly reply: Reply,
    private readonly marks: SentMarks,
    private readonly held: Elapsed,
    private readonly sendWithinMs: number,
  ) {}

  /** The provider may have it, and bill it. */
  get sent(): boolean {
    return this.outputTokens !== null;
  }

  /**
   * Its request is about to be written, maybe for the second time.
   * @throws WeirError hold_expired when this process was stopped for so long that its money may be another call's by now.
   */
  sending(outputTokens: () => number, limit: number): void {
    if (this.held.ms() > this.sendWithinMs) throw new WeirError('hold_expired', { cause: `held for ${Math.round(this.held.ms())} ms` });
    this.mark ??= this.marks.mark(this.id);
    this.outputTokens = outputTokens;
    this.limit = limit;
  }

  /**
   * What is to be noted of its output, should this process die: with what comes until the next note, at twice the pace so far, so that it is
   * not below what the client got. Null: it was not sent.
   */
  checkpoint(): number | null {
    if (!this.outputTokens) return null;
    const seen = this.outputTokens();
    const ahead = 2 * (seen - this.noted);
    this.noted = seen;
    return Math.max(seen, Math.min(seen + ahead, this.limit));
  }

  /** It is booked: a crash can no longer lose it. */
  booked(): void {
    if (this.mark !== null) this.marks.clear(this.mark);
  }
}

/** The calls being served: keeps their leases alive, remembers across a crash which were sent, and waits for them at the end. */
@Injectable()
export class InFlight {
  private readonly flights = new Slots<Flight>();
  private marks: SentMarks | null = null;
  private timer: NodeJS.Timeout | null = null;
  private idle: (() => void) | null = null;

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
      const open = await this.ledger.expireGateway(dead.gatewayId, dead.sent);
      if (open > 0) this.log.warn({ calls: open }, 'calls of a gateway that died are being resolved');
      dead.forget();
    }
    await this.ledger.reap();
    await this.ledger.warmUp();
    this.timer = setInterval(() => void this.heartbeat(), HEARTBEAT_MS).unref();
  }

  get size(): number {
    return this.flights.size;
  }

  /** A call holds money. */
  begin(id: Id, reply: Reply, held: Elapsed): Flight {
    const flight = new Flight(id, reply, this.marks!, held, this.ledger.sendWithinMs);
    this.flights.add(flight);
    return flight;
  }

  /** Its client has the end. */
  finish(flight: Flight): void {
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
      .catch((error) => this.log.warn({ err: error }, 'Postgres could not be told that this gateway ends'));
  }

  /** Breaks off every call; each is booked as cut. */
  cut(): void {
    for (const { cutOff, reply } of this.flights) {
      cutOff?.();
      reply.abort();
    }
  }

  private async heartbeat(): Promise<void> {
    const sent = [...this.flights].flatMap((flight) => {
      const outputTokens = flight.checkpoint();
      return outputTokens === null ? [] : [{ id: flight.id, outputTokens }];
    });
    if (sent.length === 0) return;
    await this.ledger.heartbeat(sent).catch((error) => this.log.warn({ err: error }, 'the heartbeat was not confirmed'));
  }
}
