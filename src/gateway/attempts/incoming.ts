import {
  isGatewayTimeout,
  noFacts,
  type ReplyFacts,
  type StreamReader,
  type Streams,
  type TokensOf,
  TooMuchWork,
  type WholeReply,
} from '../../dialects/index.js';
import { JsonCost } from '../../kernel/json-cost.js';
import type { Work } from '../../kernel/slices.js';
import { isAnswer } from '../../platform/egress/index.js';
import { withoutMark } from '../../platform/listener/index.js';

/** Parsing a whole reply takes less than 50 ms up to these; a picture of 4K fits. */
const MAX_REPLY_BYTES = 24 * 1024 * 1024;
const MAX_REPLY_VALUES = 300_000;
/** Lists of numbers are read in many turns. */
const MAX_VECTOR_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/** What came of a provider's reply so far. */
export class Incoming {
  status: number | null = null;
  headers: Record<string, string | string[] | undefined> = {};
  firstByteMs: number | null = null;
  /** Reads a stream for a client that wants one. */
  reader: StreamReader | null = null;
  whole: WholeReply | null = null;
  /** What a whole reply without an answer says of itself. */
  unanswered: ReplyFacts | null = null;
  /** Meters a stream that a client gets as a whole, should it break off. */
  private meter: StreamReader | null = null;
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private readonly cost = new JsonCost();

  /** @param vectors it is long lists of numbers. */
  constructor(private readonly vectors = false) {}

  /** Whether it is an answer, whatever it says. */
  get answers(): boolean {
    return isAnswer(this.status);
  }

  /** Whether it may be billed: it is no refusal, unless one by a front that waited in vain for a provider that has the request. */
  get mayBeBilled(): boolean {
    return this.status === null || this.answers || isGatewayTimeout(this.status);
  }

  /** What it says of itself, or how much of it came. */
  get facts(): ReplyFacts {
    const read = this.reader ?? this.whole ?? this.meter;
    return this.unanswered ?? read?.facts ?? { ...noFacts(), outputBytes: this.answers ? this.bytes : 0 };
  }

  meterBy(streams: Streams, tokensOf: TokensOf | undefined): void {
    this.meter = streams.read(Number.POSITIVE_INFINITY, tokensOf);
  }

  /** Keeps a piece of the body. False: it is too long, or too much work to read. */
  *keep(chunk: Buffer): Work<boolean> {
    this.bytes += chunk.length;
    if (this.bytes > this.mostBytes) return false;
    this.chunks.push(chunk);
    if (this.meter) return yield* this.tryMeter(this.meter, chunk);
    if (this.vectors) return true;
    this.cost.add(chunk);
    return this.cost.total <= MAX_REPLY_VALUES;
  }

  private get mostBytes(): number {
    if (!this.answers) return MAX_ERROR_BYTES;
    return this.vectors ? MAX_VECTOR_BYTES : MAX_REPLY_BYTES;
  }

  private *tryMeter(meter: StreamReader, chunk: Buffer): Work<boolean> {
    try {
      yield* meter.push(chunk);
      return true;
    } catch (error) {
      this.meter = null; // The whole is judged when it is there.
      return !(error instanceof TooMuchWork);
    }
  }

  get body(): Buffer {
    return withoutMark(this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks));
  }
}
