import type { Attempt } from '../../ledger/index.js';
import type { AttemptPolicy } from '../../routing/index.js';
import type { Call } from '../call.js';
import type { InFlightCall } from '../in-flight.js';
import type { Reply } from '../reply.js';
import type { UpstreamAttempt } from './attempt.js';
import type { Failure } from './failure.js';
import type { Outcome } from './outcome.js';

/** After so long without anything of the answer a stream begins all the same, with comments, so that nothing in between gives it up. */
const QUIET_MS = 15_000;
const BACKOFF = { firstMs: 500, mostMs: 10_000 };

/** What was made of the request in its last attempt. */
export interface Sent {
  /** Per answer; null: nothing was sent yet. */
  maxOutputTokens: number | null;
  thinkingLevel: string | null;
  warnings: readonly string[];
}

const NOTHING_SENT: Sent = { maxOutputTokens: null, thinkingLevel: null, warnings: [] };

/** What one call has tried so far, and what it may still try. */
export class Tries {
  readonly attempts: Attempt[] = [];
  sent: Sent = NOTHING_SENT;
  /** How often the present target was tried again after a failure that may pass. */
  private retried = 0;
  /** The deadline is over, maybe a moment early by another clock. */
  private isExpired = false;

  /** @param longestMs no attempt begins later than so long after the request arrived. */
  constructor(
    private readonly policy: AttemptPolicy,
    private readonly call: Call,
    private readonly longestMs: number,
  ) {}

  /** The attempt that is under way. */
  current: Pick<UpstreamAttempt, 'expire' | 'release' | 'isAnswering'> | null = null;
  private readonly timers: NodeJS.Timeout[] = [];
  private share: NodeJS.Timeout | undefined;
  private further = 0;

  /**
   * From now on another target is tried. Where the call has a deadline and targets after this one, an attempt that has nothing of an answer leaves
   * them their part of the time: a stream without content, or a whole answer that has not begun.
   * @param further targets after it.
   */
  beginTarget(further: number, reply: Reply): void {
    this.retried = 0;
    this.further = further;
    this.sent = NOTHING_SENT;
    clearTimeout(this.share);
    if (this.policy.deadlineMs === null || further === 0) return;
    this.share = setTimeout(
      () => {
        if (!reply.started && !this.current?.isAnswering && this.goesOnAfter('timeout')) this.current?.expire();
      },
      Math.max(0, this.leftMs / (further + 1)),
    );
  }

  /** There are targets after the present one. */
  get hasNext(): boolean {
    return this.further > 0;
  }

  /** No further attempt may be made. */
  get isOver(): boolean {
    return this.isExpired || this.attempts.length >= this.policy.attempts || this.leftMs <= 0;
  }

  /** No further attempt may be made at the present target: those that are left belong to the targets after it. */
  get isOverHere(): boolean {
    return this.isOver || this.attempts.length + this.further >= this.policy.attempts;
  }

  /** The deadline that the call came with is over. */
  get isOverdue(): boolean {
    return this.policy.deadlineMs !== null && this.leftMs <= 0;
  }

  /** Watches the time: at the deadline the attempt under way ends, and a stream that has nothing of the answer yet begins with comments. */
  start(reply: Reply): void {
    if (this.policy.deadlineMs !== null) this.timers.push(setTimeout(() => this.expire(), Math.max(0, this.leftMs)));
    if (!this.call.prompt.stream) return;
    const wait = setInterval(() => {
      if (!reply.keepAlive()) return clearInterval(wait);
      this.current?.release();
    }, QUIET_MS);
    this.timers.push(wait);
  }

  stop(): void {
    clearTimeout(this.share);
    for (const timer of this.timers) clearTimeout(timer);
  }

  private expire(): void {
    this.isExpired = true;
    this.current?.expire();
  }

  /** Waits before the next attempt. A client that leaves and a process that ends are not waited for. */
  async pause(ms: number, reply: Reply, flight: InFlightCall): Promise<void> {
    this.current = null;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      reply.onGone = flight.cutOff = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private get leftMs(): number {
    return (this.policy.deadlineMs ?? this.longestMs) - this.call.workingMs();
  }

  /**
   * Whether the call goes on to its next target once an attempt is booked. Not where the client has something of an answer, or is gone, or its
   * process ends.
   */
  goesOn({ failure }: Outcome, reply: Reply, { isCutOff }: InFlightCall): boolean {
    return failure !== null && !reply.started && !reply.gone && !isCutOff && this.hasNext && this.goesOnAfter(failure.reason);
  }

  /** Whether a failure is one that the call goes on to its next target for. */
  goesOnAfter(reason: Failure['reason']): boolean {
    return reason !== null && this.policy.fallbackOn.has(reason) && !this.isOver;
  }

  /** How long to wait until the target is tried again, in ms; null: it is not. Waiting is drawn evenly from none to all of the backoff. */
  retryIn({ isPassing, retryAfterMs }: Failure): number | null {
    if (!isPassing || this.isOverHere || this.retried >= this.policy.retries) return null;
    const backoffMs = Math.random() * Math.min(BACKOFF.mostMs, BACKOFF.firstMs * 2 ** this.retried);
    const waitMs = Math.max(backoffMs, retryAfterMs ?? 0);
    if (waitMs >= this.leftMs) return null;
    this.retried++;
    return waitMs;
  }
}
