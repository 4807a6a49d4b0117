import type { ServerResponse } from 'node:http';
import type { CallFormat } from '../dialects/index.js';
import type { KeptAnswer } from '../idempotency/index.js';
import type { WeirError } from '../kernel/errors.js';
import { headerText } from '../kernel/header-text.js';
import { crashAfter, crashPoint } from '../platform/faults/index.js';
import type { AnswerRecorder } from './answer-recorder.js';

const STREAM_HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};

/** A comment, which every reader of event streams skips. */
const KEEP_ALIVE = Buffer.from(': waiting for the model\n\n');

/** The way back to the client, in its dialect. Written straight on the socket's response; knows whether the client is still there. */
export class Reply {
  /** The head of the answer went out: its status can no longer change. */
  started = false;
  /** The client left before the answer was complete. */
  gone = false;
  /** Called once when the client leaves. */
  onGone: (() => void) | null = null;
  /** Called when a slow client can take more. */
  onDrain: (() => void) | null = null;
  /** The stream's own event for a failure, once there is a stream. Null, or answers null: it has none that may be shown. */
  failure: ((error: WeirError) => Buffer | null) | null = null;
  /** Keeps the answer for repeats; null: there will be none. */
  recorder: AnswerRecorder | null = null;
  /** A piece of the stream itself went out. */
  private answering = false;
  private collecting = false;
  protected readonly headers: Record<string, string>;

  constructor(
    protected readonly response: ServerResponse,
    private readonly format: Pick<CallFormat, 'encodeError' | 'errors'>,
    requestId: string,
    /** The status that an error goes out with. */
    private readonly statusOf: (error: WeirError) => number,
  ) {
    this.headers = { 'x-request-id': requestId, 'cache-control': 'no-store' };
    if (format.errors) this.headers[format.errors.idHeader] = requestId;
    // What breaks here is known by `close`; without a listener it would end the process.
    response.on('error', () => {});
    response.on('close', () => {
      if (response.writableFinished) return;
      this.gone = true;
      this.onGone?.();
    });
  }

  /** @param value any text: what a header cannot carry is percent-encoded. */
  setHeader(name: string, value: string): void {
    this.headers[name] = headerText(value);
  }

  /** Takes back what was said of an attempt that another one takes the place of. */
  dropHeaders(names: readonly string[]): void {
    for (const name of names) delete this.headers[name];
  }

  /** Shows a client that waits for a stream, and whatever stands between, that the call is under way. False: it has begun to get its answer. */
  keepAlive(): boolean {
    if (this.answering || this.gone || this.response.writableEnded) return false;
    this.write([KEEP_ALIVE]);
    return true;
  }

  /** Sends a piece of a stream, its head before the first. False: the client is slow, wait for `onDrain`. */
  stream(pieces: readonly Buffer[]): boolean {
    this.answering = true;
    return this.write(pieces);
  }

  private write(pieces: readonly Buffer[]): boolean {
    if (!this.started) {
      this.started = true;
      this.response.on('drain', () => this.onDrain?.());
      const head = { ...this.headers, ...STREAM_HEAD };
      this.recorder?.begin(head);
      this.response.writeHead(200, head);
    }
    this.collect();
    let ready = true;
    for (const piece of pieces) {
      this.recorder?.add(piece);
      ready = this.response.write(piece);
    }
    return ready;
  }

  /** What arrives in one read leaves in one write, however many events it holds. */
  private collect(): void {
    if (this.collecting) return;
    this.collecting = true;
    this.response.cork();
    process.nextTick(() => {
      this.collecting = false;
      if (this.response.writableEnded) return;
      this.response.uncork();
      // What the response had no room for may all have fitted into its socket, which then never tells that it is empty again.
      if (this.response.writableNeedDrain && !this.response.socket?.writableNeedDrain) this.onDrain?.();
    });
  }

  /** Sends the end of a stream. A promise: once a repeat would get it. */
  endStream(tail: Buffer): void | Promise<void> {
    if (!this.started) this.stream([]);
    if (!this.recorder) return this.writeTail(tail);
    this.recorder.add(tail);
    return this.recorder.keep().then(() => this.writeTail(tail));
  }

  private writeTail(tail: Buffer): void {
    crashPoint('before_done');
    crashAfter('after_done', this.response, 'finish');
    this.response.end(tail);
  }

  /** Sends a whole answer. A promise: once a repeat would get it. */
  answer(body: Buffer | string): void | Promise<void> {
    if (!this.recorder) return this.json(200, body);
    this.recorder.begin(this.jsonHead(body));
    this.recorder.add(typeof body === 'string' ? Buffer.from(body) : body);
    return this.recorder.keep().then(() => this.json(200, body));
  }

  /** Sends the answer of an earlier call again, byte for byte. */
  replay({ headers, body }: KeptAnswer): void {
    this.started = true;
    this.response.writeHead(200, { ...headers, 'x-weir-replayed': 'true' });
    this.response.end(body);
  }

  private json(status: number, body: Buffer | string): void {
    crashPoint('before_done');
    this.started = true;
    this.response.writeHead(status, this.jsonHead(body));
    // Node joins the head with a text and sends both in one write; a buffer would be a second one. latin1 carries bytes as they are.
    crashAfter('after_done', this.response, 'finish');
    if (typeof body === 'string') this.response.end(body);
    else this.response.end(body.toString('latin1'), 'latin1');
  }

  private jsonHead(body: Buffer | string): Record<string, string> {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    return { ...this.headers, 'content-type': 'application/json', 'content-length': String(length) };
  }

  /** Before the first byte: its status and body. After: the stream's own error event, and no terminator. Never throws. */
  fail(error: WeirError): void {
    if (this.gone || this.response.writableEnded) return;
    try {
      if (this.started) return void this.response.end(this.failure?.(error) ?? this.failureEvent(error));
      for (const [name, value] of Object.entries(error.headers())) this.setHeader(name, value);
      this.json(this.statusOf(error), JSON.stringify(this.format.encodeError(error)));
    } catch {
      this.abort();
    }
  }

  private failureEvent(error: WeirError): string {
    return `event: error\ndata: ${JSON.stringify(this.format.encodeError(error))}\n\n`;
  }

  /** Ends the connection at once: the answer cannot be completed. */
  abort(): void {
    this.response.destroy();
  }
}
