/** How many times longer a Postgres that answers is waited for than one that may be gone. */
const SLOW_FACTOR = 8;
/** When another connection is tried, as a part of the patience. */
const PROBE_AFTER = 1 / 5;
/** A statement takes some round trips of the network: on a long way the patience is at least so many. */
const ROUND_TRIPS = 3;
/** Round trips that are remembered: the shortest of them is the way, the rest is work. */
const REMEMBERED = 3;

/**
 * How long a batch of holds waits for Postgres. One that is gone is given up after `ms`; one that answers on another connection meanwhile is
 * slow, and is waited for eight times as long.
 */
export class Patience {
  private readonly roundTrips: number[] = [];
  private probing: Promise<boolean> | null = null;

  /** @param probe asks Postgres for nothing, on a connection of its own. */
  constructor(
    private readonly ms: number,
    private readonly probe: () => Promise<void>,
  ) {}

  begin(): Wait {
    const leastMs = Math.min(Math.max(this.ms, ROUND_TRIPS * Math.min(...this.roundTrips)), this.ms * SLOW_FACTOR);
    return new Wait(this.roundTrips.length > 0 ? leastMs : this.ms, this.ms * SLOW_FACTOR, () => this.answers());
  }

  /** Takes how long a statement took that had an answer. */
  learn(ms: number): void {
    this.roundTrips.push(ms);
    if (this.roundTrips.length > REMEMBERED) this.roundTrips.shift();
  }

  /** One probe at a time is enough for all that wait. */
  private answers(): Promise<boolean> {
    const startedAt = performance.now();
    this.probing ??= this.probe()
      .then(
        () => {
          this.learn(performance.now() - startedAt);
          return true;
        },
        () => false,
      )
      .finally(() => {
        this.probing = null;
      });
    return this.probing;
  }
}

/** The waiting of one batch. */
export class Wait {
  private readonly startedAt = performance.now();
  /** Postgres answered meanwhile. */
  isSlow = false;

  constructor(
    private readonly leastMs: number,
    private readonly mostMs: number,
    private readonly answers: () => Promise<boolean>,
  ) {}

  /** By performance.now(): what fails later is not tried again. */
  get deadline(): number {
    return this.startedAt + (this.isSlow ? this.mostMs : this.leastMs);
  }

  /** By performance.now(): until then a lock is waited for. */
  get leastDeadline(): number {
    return this.startedAt + this.leastMs;
  }

  /** The result of work that needs Postgres. @throws when it takes too long, or what the work throws. */
  until<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new Error(`not confirmed within ${Math.round(performance.now() - this.startedAt)} ms`));
      // An answer that has arrived while this process was busy is in time.
      const after = (ms: number, then: () => void) => setTimeout(() => setImmediate(then), ms);
      const timers = [
        after(this.leastMs * PROBE_AFTER, () => {
          void this.answers().then((answered) => {
            this.isSlow ||= answered;
          });
        }),
        after(this.leastMs, () => (this.isSlow ? timers.push(after(this.mostMs - this.leastMs, giveUp)) : giveUp())),
      ];
      work.then(resolve, reject).finally(() => timers.forEach(clearTimeout));
    });
  }
}
