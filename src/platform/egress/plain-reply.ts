import { createGunzip, type Gunzip } from 'node:zlib';
import type { EgressError, EgressSink } from './egress.js';

const MAX_BYTES = 64 * 1024 * 1024;
const MAX_RATIO = 100;
const GZIP = /^(?:x-)?gzip$/i;

/** Whether a status is that of an answer. What stands between may say 201 or 203 instead of a provider's 200. */
export const isAnswer = (status: number | null): boolean => status !== null && status >= 200 && status < 300;

interface ReplySink extends EgressSink {
  /** What came is no reply. */
  onUnreadable(cause: Error): void;
}

/** Gives a reply on as it is meant, also one that comes compressed though it was not asked for so: decoded off the event loop, within bounds. */
export class PlainReply implements EgressSink {
  private gunzip: Gunzip | null = null;
  private bytesIn = 0;
  private bytesOut = 0;
  private isBroken = false;
  /** Called once all that came is given on. */
  private atEnd: (() => void) | null = null;

  constructor(private readonly sink: ReplySink) {}

  onSending(): void {
    this.sink.onSending();
  }

  onHead(status: number, headers: Record<string, string | string[] | undefined>): void {
    const { 'content-encoding': encoding, ...rest } = headers;
    if (typeof encoding !== 'string') return this.sink.onHead(status, headers);
    if (encoding.toLowerCase() === 'identity') return this.sink.onHead(status, rest);
    if (!GZIP.test(encoding)) return this.sink.onHead(status, headers);
    this.gunzip = this.decoder();
    this.sink.onHead(status, rest);
  }

  onData(chunk: Buffer): void {
    if (!this.gunzip) return this.sink.onData(chunk);
    this.bytesIn += chunk.length;
    if (!this.gunzip.destroyed) this.gunzip.write(chunk);
  }

  onEnd(): void {
    this.conclude(() => this.sink.onEnd());
  }

  onError(error: EgressError): void {
    this.isBroken = true;
    this.conclude(() => this.sink.onError(error));
  }

  onLate(): void {
    this.sink.onLate?.();
  }

  private conclude(then: () => void): void {
    if (!this.gunzip || this.gunzip.destroyed) return then();
    this.atEnd = then;
    this.gunzip.end();
  }

  private decoder(): Gunzip {
    const gunzip = createGunzip();
    gunzip.on('data', (chunk: Buffer) => {
      this.bytesOut += chunk.length;
      if (this.bytesOut <= Math.min(MAX_BYTES, this.bytesIn * MAX_RATIO)) return this.sink.onData(chunk);
      gunzip.destroy(new Error(`a compressed reply of more than ${MAX_BYTES} bytes or ${MAX_RATIO} times its size`));
    });
    gunzip.on('end', () => this.atEnd?.());
    gunzip.on('error', (error) => {
      if (this.isBroken) this.atEnd?.();
      else this.sink.onUnreadable(error);
    });
    return gunzip;
  }
}
