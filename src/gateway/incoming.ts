import { noFacts, type ReplyFacts, type StreamReader, type Streams, type TokensOf, type WholeReply } from '../dialects/index.js';

const MAX_REPLY_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/** What came of a provider's reply so far. */
export class Incoming {
  status: number | null = null;
  headers: Record<string, string | string[] | undefined> = {};
  firstByteMs: number | null = null;
  /** Reads a stream for a client that wants one. */
  reader: StreamReader | null = null;
  whole: WholeReply | null = null;
  /** Meters a stream that a client gets as a whole, should it break off. */
  private meter: StreamReader | null = null;
  private readonly chunks: Buffer[] = [];
  private bytes = 0;

  /** Whether it may be billed: it is no refusal. */
  get mayBeBilled(): boolean {
    return this.status === null || this.status === 200;
  }

  /** What it says of itself, or how much of it came. */
  get facts(): ReplyFacts {
    const read = this.reader ?? this.whole ?? this.meter;
    return read?.facts ?? { ...noFacts(), outputBytes: this.status === 200 ? this.bytes : 0 };
  }

  meterBy(streams: Streams, tokensOf: TokensOf | undefined): void {
    this.meter = streams.read(Number.POSITIVE_INFINITY, tokensOf);
  }

  /** Keeps a piece of the body. False: it is too long. */
  keep(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (this.bytes > (this.status === 200 ? MAX_REPLY_BYTES : MAX_ERROR_BYTES)) return false;
    this.chunks.push(chunk);
    try {
      this.meter?.push(chunk);
    } catch {
      this.meter = null; // The whole is judged when it is there.
    }
    return true;
  }

  get body(): Buffer {
    return this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
  }
}
