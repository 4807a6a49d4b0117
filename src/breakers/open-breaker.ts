import { inARow } from './recent-attempts.js';

const FIRST_MS = 5_000;
const MAX_OPEN_MS = 60_000;
/** Of processes that opened at the same moment, not all try again at the same moment. */
const JITTER = 0.2;
const TRIAL_EVERY_MS = 1_000;
/** A trial whose answer takes longer keeps no other from being made. */
const TRIAL_PATIENCE_MS = 10_000;

/** What a breaker stops: calls of a model at a provider, made with one credential. */
export interface BreakerScope {
  providerId: string;
  /** The type of the provider. */
  type: string;
  /** Null: it has none, or the token of a login. */
  credentialId: string | null;
  model: string;
  /** Whose calls; null: those of every tenant that the platform lends the provider to. */
  tenantId: string | null;
}

/** Why it opened. */
export interface Trouble {
  /** What the target did, e.g. `failed 5 times in a row, last: upstream_error (503)`. */
  reason: string;
  failures: number;
}

/** A breaker that is open, and half-open once its time is over. Times are of the monotonic clock, in ms. */
export class OpenBreaker {
  private openMs: number;
  private until: number;
  private trial: object | null = null;
  private triedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param isHeard another process told of it: this one saw no failure.
   * @param forMs how long it is open.
   */
  constructor(
    readonly scope: BreakerScope,
    public trouble: Trouble,
    public isHeard: boolean,
    now: number,
    forMs = FIRST_MS,
  ) {
    this.openMs = forMs;
    this.until = now + forMs;
  }

  /** How long until the target may be tried again, in ms; 0: now, as a trial. */
  waitMs(now: number): number {
    if (now < this.until) return this.until - now;
    const pace = this.trial === null ? TRIAL_EVERY_MS : TRIAL_PATIENCE_MS;
    return Math.max(0, this.triedAt + pace - now);
  }

  /** How long it stays open, in ms; 0: it is half-open. */
  openForMs(now: number): number {
    return Math.max(0, this.until - now);
  }

  beginTrial(attempt: object, now: number): void {
    this.trial = attempt;
    this.triedAt = now;
  }

  isTrial(attempt: object): boolean {
    return this.trial === attempt;
  }

  /** The trial says nothing of the target. */
  endTrial(): void {
    this.trial = null;
  }

  /** The trial failed. */
  reopen(last: string, now: number, random: number): void {
    const failures = this.trouble.failures + 1;
    this.trouble = { reason: `${inARow(failures)}, ${last}`, failures };
    this.isHeard = false;
    this.trial = null;
    this.openMs = Math.min(MAX_OPEN_MS, this.openMs * 2);
    this.until = now + this.openMs * (1 - JITTER * random);
  }

  /** Another process opened it for longer. */
  extend(trouble: Trouble, now: number, forMs: number): void {
    if (now + forMs <= this.until) return;
    this.trouble = trouble;
    this.openMs = Math.max(this.openMs, forMs);
    this.until = now + forMs;
  }

  /** Another process had an answer: a trial may be made at once. */
  halfOpen(now: number): void {
    this.until = Math.min(this.until, now);
  }

  /** Nobody has asked for the target for this long, in ms. */
  unusedMs(now: number): number {
    return now - Math.max(this.until, this.triedAt);
  }
}
