import type { WeirError } from '../../kernel/errors.js';
import type { Work } from '../../kernel/slices.js';
import type { Usage } from '../../kernel/usage.js';
import type { ReplyEvent } from '../canonical.js';
import {
  type Frame,
  ProviderRefusal,
  type Refusal,
  type ReplyFacts,
  type StreamDecoder,
  type StreamEncoder,
  type StreamReader,
  type TokensOf,
} from '../dialect.js';
import { type FrameReader, sseFrames } from './frames.js';
import { withoutCost } from './hidden-cost.js';
import { oneByOne, shortEvents } from './long-text.js';
import { Meter } from './meter.js';
import type { ReplyFilter } from './reply-filter.js';
import { SseSplitter } from './sse.js';

type Finish = Extract<ReplyEvent, { type: 'finish' }>;

/** What both kinds of reader do: decode, meter, keep usage and finish back. What becomes of the rest is theirs. */
abstract class DecodingReader implements StreamReader {
  refusal: Refusal | null = null;
  protected readonly finishes: Finish[] = [];
  protected readonly meter: Meter;
  private progressed = false;

  constructor(
    protected readonly decoder: StreamDecoder,
    private readonly filter: ReplyFilter,
    private readonly choices: number,
    maxOutputTokens: number,
    tokensOf?: TokensOf,
  ) {
    this.meter = new Meter(maxOutputTokens, tokensOf);
  }

  get facts(): ReplyFacts {
    return this.meter.facts;
  }

  get overLimit(): boolean {
    return this.meter.overLimit;
  }

  get complete(): boolean {
    return this.refusal === null && (this.overLimit || this.decoder.complete);
  }

  takeProgress(): boolean {
    const progressed = this.progressed;
    this.progressed = false;
    return progressed;
  }

  abstract push(chunk: Buffer): Work<Buffer[]>;
  abstract finish(): Work<Buffer[]>;
  abstract tail(usage: Usage, costUsd: number | null): Buffer;
  abstract failure(error: WeirError): Buffer;
  /** An event the client may have at once. */
  protected abstract give(event: ReplyEvent): void;

  /** What follows an error or the limit is read to the end and thrown away. */
  protected get over(): boolean {
    return this.refusal !== null || this.overLimit;
  }

  protected *visit(frame: Frame): Work<void> {
    if (!this.over) yield* this.decode(() => this.decoder.push(frame));
  }

  protected *decode(events: () => ReplyEvent[]): Work<void> {
    try {
      for (const event of events()) {
        this.progressed = true;
        // As the provider sent it: what the filter keeps back was made, too.
        if (event.type !== 'finish') this.meter.count(event);
        yield* this.giveOn(event);
      }
    } catch (error) {
      if (!(error instanceof ProviderRefusal)) throw error;
      this.refusal = error.refusal;
    }
  }

  private *giveOn(event: ReplyEvent): Work<void> {
    const pieces = this.filter.readsLetters ? shortEvents(event) : [event];
    for (const piece of pieces) {
      if (pieces.length > 1) yield;
      for (const filtered of this.filter.push(piece)) {
        const parts = shortEvents(filtered);
        for (const part of parts) {
          if (parts.length > 1) yield;
          if (!this.over) this.take(part);
        }
      }
    }
  }

  private take(event: ReplyEvent): void {
    if (event.type === 'usage' || event.type === 'other') return;
    if (event.type !== 'finish') return this.give(event);
    this.meter.count(event);
    if (event.reason === 'error') this.refusal = failedAnswer(event);
    else this.finishes.push(event);
  }

  /** How each answer ended; those cut off at the limit ended by it. */
  protected get ends(): Finish[] {
    if (!this.overLimit) return [...this.finishes].sort((a, b) => a.choice - b.choice);
    const cut = (choice: number): Finish => ({ type: 'finish', choice, reason: 'length', native: 'length' });
    return Array.from({ length: this.choices }, (_, choice) => this.finishes.find((finish) => finish.choice === choice) ?? cut(choice));
  }
}

/** The provider says that its answer is no good. */
export const failedAnswer = ({ native, message }: Finish): Refusal => ({
  class: 'failed_answer',
  message: message ?? (native === null ? null : `The model ended its answer with ${native}.`),
});

/** Pieces of output are joined up to this length. */
const LONG_PIECE = 64 * 1024;

/** Reads a provider's stream and writes the client's. */
export class TranslatingReader extends DecodingReader {
  private out = '';
  /** What was written before `out`, where that is long. */
  private pieces: Buffer[] = [];

  constructor(
    decoder: StreamDecoder,
    private readonly frames: FrameReader,
    private readonly encoder: StreamEncoder,
    filter: ReplyFilter,
    choices: number,
    maxOutputTokens: number,
    tokensOf?: TokensOf,
  ) {
    super(decoder, filter, choices, maxOutputTokens, tokensOf);
  }

  *push(chunk: Buffer): Work<Buffer[]> {
    for (const frame of oneByOne<Frame>((visit) => this.frames.push(chunk, visit))) yield* this.visit(frame);
    return this.takeOut();
  }

  *finish(): Work<Buffer[]> {
    for (const frame of oneByOne<Frame>((visit) => this.frames.finish(visit))) yield* this.visit(frame);
    if (!this.over) yield* this.decode(() => this.decoder.end());
    return this.takeOut();
  }

  tail(usage: Usage, costUsd: number | null): Buffer {
    return Buffer.from(this.encoder.end({ finishes: this.ends, usage, usageRaw: this.facts.usageRaw, costUsd }));
  }

  failure(error: WeirError): Buffer {
    return Buffer.from(this.encoder.fail(error));
  }

  protected give(event: ReplyEvent): void {
    this.out += this.encoder.push(event);
    if (this.out.length > LONG_PIECE) this.closePiece();
  }

  private closePiece(): void {
    if (this.out === '') return;
    this.pieces.push(Buffer.from(this.out));
    this.out = '';
  }

  private takeOut(): Buffer[] {
    this.closePiece();
    const { pieces } = this;
    this.pieces = [];
    return pieces;
  }
}

/** Passes the events of a stream on as they are, and meters them. */
export class VerbatimReader extends DecodingReader {
  private readonly splitter = new SseSplitter();
  private out: Buffer[] = [];
  /** The end of the stream, as the provider sent it. */
  private readonly kept: Buffer[] = [];
  /** What was passed on, for the case that its end has to be written here. */
  private readonly given: ReplyEvent[] = [];

  constructor(
    decoder: StreamDecoder,
    private readonly frames: {
      isTail(frame: Frame): boolean;
      isWanted?(frame: Frame): boolean;
      /** The event as clients of the format know it; null: it is so already. */
      writeTail?(frame: Frame): Frame | null;
      hidesCost: boolean;
    },
    private readonly encoder: () => StreamEncoder,
    filter: ReplyFilter,
    choices: number,
    maxOutputTokens: number,
    tokensOf?: TokensOf,
  ) {
    super(decoder, filter, choices, maxOutputTokens, tokensOf);
  }

  *push(chunk: Buffer): Work<Buffer[]> {
    for (const bytes of oneByOne<Buffer>((visit) => this.splitter.push(chunk, (...event) => visit(bytesOf(event)))))
      yield* this.pass(bytes);
    return this.takeOut();
  }

  *finish(): Work<Buffer[]> {
    for (const bytes of oneByOne<Buffer>((visit) => this.splitter.finish((...event) => visit(bytesOf(event))))) yield* this.pass(bytes);
    if (!this.over) yield* this.decode(() => this.decoder.end());
    return this.takeOut();
  }

  tail(usage: Usage, costUsd: number | null): Buffer {
    if (!this.overLimit) return Buffer.concat(this.kept);
    return Buffer.from(this.encoderInStep().end({ finishes: this.ends, usage, usageRaw: this.facts.usageRaw, costUsd }));
  }

  failure(error: WeirError): Buffer {
    return Buffer.from(this.encoderInStep().fail(error));
  }

  protected give(event: ReplyEvent): void {
    this.given.push(event);
  }

  private *pass(bytes: Buffer): Work<void> {
    if (this.over) return;
    const text = bytes.toString();
    const frames = sseFrames(text);
    if (frames.length === 0) {
      if (isComment(text)) this.keepOrSend(bytes, false);
      return;
    }
    for (const frame of frames) yield* this.passFrame(frame, frames.length === 1 ? bytes : Buffer.from(`data: ${frame.data}\n\n`));
  }

  private *passFrame(frame: Frame, bytes: Buffer): Work<void> {
    yield* this.visit(frame);
    if (this.over || this.frames.isWanted?.(frame) === false) return;
    const isTail = this.frames.isTail(frame);
    const shown = this.shown((isTail && this.frames.writeTail?.(frame)) || frame);
    this.keepOrSend(shown === frame ? bytes : bytesOfFrame(shown), isTail);
  }

  /** The event as the client may see it; the same where that is as it came. */
  private shown(frame: Frame): Frame {
    const data = this.frames.hidesCost ? withoutCost(frame.data) : frame.data;
    return data === frame.data ? frame : { ...frame, data };
  }

  private keepOrSend(bytes: Buffer, isTail: boolean): void {
    if (this.kept.length > 0 || isTail) this.kept.push(bytes);
    else this.out.push(bytes);
  }

  /** An encoder that stands where the provider's stream does. */
  private encoderInStep(): StreamEncoder {
    const encoder = this.encoder();
    for (const event of this.given) encoder.push(event);
    return encoder;
  }

  private takeOut(): Buffer[] {
    const { out } = this;
    this.out = [];
    return out.length > 1 ? [Buffer.concat(out)] : out;
  }
}

const bytesOfFrame = ({ event, data }: Frame): Buffer => Buffer.from(`${event === null ? '' : `event: ${event}\n`}data: ${data}\n\n`);

const bytesOf = ([buffer, start, end]: [Buffer, number, number]): Buffer => buffer.subarray(start, end);

/** An event without data is none, and clients stumble over it. */
export const isComment = (text: string): boolean => text.startsWith(':');
