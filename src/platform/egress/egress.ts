import type { Readable } from 'node:stream';
import { buildConnector, type Dispatcher, Pool } from 'undici';
import { Slots, type Slotted } from '../../kernel/slots.js';
import { DestinationRefused, type Guard } from './destination.js';
import { withoutInterim } from './interim-responses.js';
import type { ProxyConnector } from './proxy.js';

export interface EgressTimeouts {
  connectMs: number;
  /** From sending to the response head. */
  firstByteMs: number;
  /** Between two signs of progress, see {@link Exchange.progress}. */
  progressMs: number;
  totalMs: number;
}

export interface EgressRequest {
  /** Absent: POST. */
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Scheme, host and port. */
  origin: string;
  path: string;
  /** Names and values in turn; the only headers sent besides host, content-length and, where egress has a name, via. */
  headers: string[];
  /** Of a GET it is not sent; an empty one of a DELETE neither. */
  body: string;
  /** What is sent instead, as it comes. */
  stream?: Readable | null;
}

export type EgressFailure = 'refused' | 'unreachable' | 'timeout' | 'interrupted';

/**
 * Why an exchange failed. `interrupted`: after the response head; the others before it. `refused`: the address is not allowed as it is written.
 * What is found out on the way to it, be it a closed port or a name that leads inside, is `unreachable`: nobody is to map a network by it.
 */
export class EgressError extends Error {
  /** @param late a deadline passed. */
  constructor(
    readonly failure: EgressFailure,
    cause: unknown,
    readonly late = false,
  ) {
    super(failure, { cause });
  }
}

/** What an exchange tells its caller, in this order; after `onEnd` or `onError` nothing more. */
export interface EgressSink {
  /** The request is about to be written: from here on the provider may bill it. When this throws it is not written, and `onError` follows. */
  onSending(): void;
  onHead(status: number, headers: Record<string, string | string[] | undefined>): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  onError(error: EgressError): void;
  /** The head, or the next sign of progress, is late. What is neither ended nor given time by `endWithin` is broken off. */
  onLate?(): void;
}

/** One request under way. */
export interface Exchange {
  /** Ends it at once and without a further word to the sink. */
  cancel(): void;
  pause(): void;
  resume(): void;
  /** Something of value arrived; keep-alive comments are none. Moves the progress deadline. */
  progress(): void;
  /** It goes on at full speed, and is broken off if it has not ended by then. Once only. */
  endWithin(ms: number): void;
}

/** Anything that can carry a request: the network, or a provider that lives in this process. */
export interface Transport {
  send(request: EgressRequest, sink: EgressSink): Exchange;
}

/** What says nothing has no body, not an empty one. */
const WITHOUT_BODY: ReadonlySet<string> = new Set(['GET', 'DELETE']);
const TICK_MS = 50;
/** What has a last deadline of its own is waited for longer than what a client waits for. */
const LAST_PATIENCE = 10;
const MAX_HEAD_BYTES = 16 * 1024;
/** Far beyond any answer; what reads an answer has tighter bounds of its own. */
const MAX_REPLY_BYTES = 256 * 1024 * 1024;
/** Work on one reply in a row before other calls have their turn. */
const SLICE_MS = 5;
const PIECE_BYTES = 16 * 1024;
/** Less of a gap is none. */
const GAP_MS = 1;

/**
 * The one way out. Checks the destination, connects directly or through the deployment's proxy (the usual proxy variables are not consulted),
 * verifies TLS, follows no redirect, decodes nothing, and keeps its own deadlines by one shared tick instead of timers per call.
 */
export class Egress implements Transport {
  private readonly pools = new Map<string, Pool>();
  private readonly underWay = new Slots<HttpExchange>();
  private tick: NodeJS.Timeout | null = null;

  /**
   * @param name what this installation is called in the `via` of its requests, by which it knows them when they come back to it. Null: they have
   * none, for servers that answer nobody who seems to come through a proxy.
   * @param proxy null: connects directly.
   */
  constructor(
    private readonly guard: Guard,
    private readonly timeouts: EgressTimeouts,
    readonly name: string | null,
    private readonly proxy: ProxyConnector | null = null,
  ) {}

  send(request: EgressRequest, sink: EgressSink): Exchange {
    const exchange = new HttpExchange(sink, this.timeouts, (ended) => this.underWay.delete(ended));
    this.underWay.add(exchange);
    this.tick ??= setInterval(() => this.checkDeadlines(), TICK_MS).unref();
    try {
      const { origin, path, method = 'POST', body, stream = null } = request;
      const headers = this.name === null ? request.headers : [...request.headers, 'via', `1.1 ${this.name}`];
      this.poolFor(origin).dispatch(
        { path, method, headers, body: stream ?? (WITHOUT_BODY.has(method) && body === '' ? null : body) },
        exchange,
      );
    } catch (error) {
      queueMicrotask(() => exchange.fail(error, error instanceof DestinationRefused ? 'refused' : undefined));
    }
    return exchange;
  }

  /** What is sent from now on goes over new connections, by the destinations, time-outs and proxy of now. What is under way ends as it began. */
  renew(): void {
    const before = [...this.pools.values()];
    this.pools.clear();
    for (const pool of before) void pool.close().catch(() => {});
  }

  async close(): Promise<void> {
    if (this.tick) clearInterval(this.tick);
    await Promise.all([...this.pools.values()].map((pool) => pool.destroy()));
  }

  private poolFor(origin: string): Pool {
    let pool = this.pools.get(origin);
    if (!pool) {
      const url = new URL(origin);
      this.guard.checkUrl(url);
      pool = new Pool(origin, {
        connect: withoutInterim(this.proxy?.to(url) ?? this.connector(url)),
        headersTimeout: 0,
        bodyTimeout: 0,
        keepAliveTimeout: 30_000,
        maxHeaderSize: MAX_HEAD_BYTES,
        allowH2: false,
      });
      this.pools.set(origin, pool);
      this.forgetWhenIdle(origin, pool);
    }
    return pool;
  }

  /** Tenants bring addresses as they like: one without a connection costs nothing. */
  private forgetWhenIdle(origin: string, pool: Pool): void {
    const check = () => {
      if (pool.closed || pool.destroyed || pool.stats.connected > 0 || pool.stats.size > 0) return;
      this.pools.delete(origin);
      void pool.close();
    };
    pool.on('disconnect', check).on('connectionError', check);
  }

  /** Connects only to addresses the guard accepts, and looks at the connected address once more. */
  private connector(origin: URL): buildConnector.connector {
    const connect = buildConnector({
      timeout: this.timeouts.connectMs,
      allowH2: false, // asks for HTTP/1.1 in the handshake, which the pool's own option does not reach
      lookup: this.guard.lookupFor(origin),
    } as buildConnector.BuildOptions);
    return (options, done) => {
      connect(options, (...[error, socket]) => {
        if (error) return done(error, null);
        try {
          this.guard.checkAddress(socket.remoteAddress ?? '', origin);
          done(null, socket);
        } catch (refusal) {
          socket.destroy();
          done(refusal as Error, null);
        }
      });
    };
  }

  private checkDeadlines(): void {
    const now = performance.now();
    for (const exchange of this.underWay) exchange.checkDeadlines(now);
  }
}

class HttpExchange implements Dispatcher.DispatchHandler, Exchange, Slotted {
  slot = -1;
  private controller: Dispatcher.DispatchController | null = null;
  private headSeen = false;
  private ended = false;
  private paused = false;
  private bytes = 0;
  /** Of a chunk, what was not given on yet. */
  private rest: Buffer | null = null;
  /** Spent on the reply without a gap. */
  private workMs = 0;
  private workedUntil = 0;
  private patience = 1;
  private totalDeadline: number;
  private deadline: number;

  constructor(
    private readonly sink: EgressSink,
    private readonly timeouts: EgressTimeouts,
    private readonly onEnded: (exchange: HttpExchange) => void,
  ) {
    const now = performance.now();
    this.totalDeadline = now + timeouts.totalMs;
    this.deadline = now + timeouts.firstByteMs;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.ended) return controller.abort(new Error('cancelled'));
    this.sink.onSending();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.ended || status < 200) return;
    this.headSeen = true;
    this.progress();
    this.sink.onHead(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.ended) return;
    this.bytes += chunk.length;
    if (this.bytes > MAX_REPLY_BYTES) return this.breakOff('too long');
    // What ends a connection is handed over also while it is paused.
    this.give(this.rest ? Buffer.concat([this.rest, chunk]) : chunk);
  }

  /** Gives a chunk on in pieces. A provider that sends faster than its reply can be read is read on in the next turn of the event loop. */
  private give(chunk: Buffer): void {
    let from = 0;
    while (from < chunk.length && !this.paused && !this.ended && this.workMs <= SLICE_MS) {
      const startedAt = performance.now();
      if (startedAt - this.workedUntil > GAP_MS) this.workMs = 0;
      this.sink.onData(chunk.subarray(from, from + PIECE_BYTES));
      from += PIECE_BYTES;
      this.workedUntil = performance.now();
      this.workMs += this.workedUntil - startedAt;
    }
    this.rest = from < chunk.length ? chunk.subarray(from) : null;
    if (this.workMs <= SLICE_MS || this.paused || this.ended) return;
    this.controller?.pause();
    setImmediate(() => this.goOn());
  }

  private goOn(): void {
    if (this.paused || this.ended) return;
    this.workMs = 0;
    if (this.rest) this.give(this.rest);
    if (!this.rest && !this.paused && this.workMs <= SLICE_MS) this.controller?.resume();
  }

  /** What came before the reply broke off. */
  private giveRest(): void {
    const { rest } = this;
    this.rest = null;
    if (rest && !this.ended) this.sink.onData(rest);
  }

  onResponseEnd(): void {
    this.giveRest();
    if (this.end()) this.sink.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  fail(error: unknown, failure: EgressFailure = this.headSeen ? 'interrupted' : 'unreachable'): void {
    this.giveRest();
    if (this.end()) this.sink.onError(new EgressError(failure, error));
  }

  cancel(): void {
    if (this.end()) this.controller?.abort(new Error('cancelled'));
  }

  pause(): void {
    this.paused = true;
    this.controller?.pause();
  }

  resume(): void {
    this.paused = false;
    this.progress();
    this.goOn();
  }

  progress(): void {
    this.expectWithin(this.timeouts.progressMs);
  }

  endWithin(ms: number): void {
    const now = performance.now();
    this.totalDeadline = Math.min(this.totalDeadline, now + ms);
    this.patience = LAST_PATIENCE;
    this.expectWithin(this.headSeen ? this.timeouts.progressMs : this.timeouts.firstByteMs);
    if (this.paused) this.resume();
  }

  private expectWithin(ms: number): void {
    this.deadline = performance.now() + ms * this.patience;
  }

  checkDeadlines(now: number): void {
    if (this.isInTime(now)) return;
    if (now < this.totalDeadline) this.sink.onLate?.();
    if (!this.isInTime(now)) this.breakOff('deadline');
  }

  private isInTime(now: number): boolean {
    return this.ended || (now < this.totalDeadline && (this.paused || now < this.deadline));
  }

  private breakOff(why: 'deadline' | 'too long'): void {
    this.giveRest();
    if (!this.end()) return;
    const cause = new Error(why);
    this.controller?.abort(cause);
    this.sink.onError(new EgressError(this.headSeen ? 'interrupted' : 'timeout', cause, why === 'deadline'));
  }

  /** True the first time. */
  private end(): boolean {
    if (this.ended) return false;
    this.ended = true;
    this.onEnded(this);
    return true;
  }
}
