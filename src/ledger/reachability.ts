/** A batch waits this many times the patience while Postgres answers other statements. */
const SLOW_FACTOR = 8;
/** The part of the patience after which a probe asks whether Postgres is there. */
const PROBE_PART = 5;
/** Probes that are remembered. */
const REMEMBERED = 5;
/** How often the round trip is measured at the start, while it seems long. */
const MEASUREMENTS = 5;

/** Postgres sends no sign of life: it, or the way to it, is gone. */
class Gone extends Error {}
/** Postgres sends signs of life, but not the answer that was waited for. */
export class TooSlow extends Error {}

/**
 * Tells a Postgres that is slow from one that is gone. Every answer is a sign of life. While a batch waits without one, a probe asks for it on
 * another connection. The round trip is remembered, so that a distant Postgres, which cannot answer a probe within the patience, is not taken for
 * one that is gone. An answer that takes longer than the longest wait says nothing: calls are refused by then.
 */
export class Reachability {
  private heardAt = Number.NEGATIVE_INFINITY;
  /** The shortest that was seen lately: the rest of a round trip is work, of Postgres or of this process. */
  private roundTripMs = 0;
  private lately: number[] = [];
  private isProbing = false;

  /** @param probe the least statement there is; it fails after the time given. */
  constructor(
    private readonly timeouts: { readonly ledgerMs: number },
    private readonly probe: (timeoutMs: number) => Promise<unknown>,
  ) {}

  private get patienceMs(): number {
    return this.timeouts.ledgerMs;
  }

  private get mostMs(): number {
    return SLOW_FACTOR * this.patienceMs;
  }

  private get probeAfterMs(): number {
    return this.patienceMs / PROBE_PART;
  }

  /** Learns the round trip. A process that has just started is busy itself: what it measures then may have to be measured again. */
  async measure(): Promise<void> {
    for (let tries = 0; tries < MEASUREMENTS; tries++) {
      await this.check();
      if (2 * this.roundTripMs <= this.patienceMs) return;
    }
  }

  /** Asks Postgres for a sign of life. One probe of the process is under way at a time. */
  async check(): Promise<void> {
    if (this.isProbing) return;
    this.isProbing = true;
    const startedAt = performance.now();
    try {
      await this.probe(this.mostMs);
      const tookMs = performance.now() - startedAt;
      if (tookMs > this.mostMs) return;
      this.heardAt = performance.now();
      this.lately = [...this.lately.slice(1 - REMEMBERED), tookMs];
      this.roundTripMs = Math.min(...this.lately);
    } catch {
      // No sign of life: whoever waits for one sees that it does not come.
    } finally {
      this.isProbing = false;
    }
  }

  /** A statement was answered, and took this long. */
  heard(tookMs: number): void {
    if (tookMs > this.mostMs) return;
    this.heardAt = performance.now();
    if (tookMs >= this.roundTripMs) return;
    this.roundTripMs = tookMs;
    this.lately = [tookMs];
  }

  /**
   * Rejects with `Gone` when the patience passes without a sign of life, with `TooSlow` when the longest wait is over. An answer that has arrived
   * while this process was busy is in time.
   */
  within<T>(promise: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout;
      let isOver = false;
      const look = () => {
        if (isOver) return;
        const now = performance.now();
        const silentMs = now - Math.max(startedAt, this.heardAt);
        const goneAfterMs = Math.max(this.patienceMs, Math.min(2 * this.roundTripMs, this.mostMs));
        if (silentMs >= goneAfterMs) return reject(new Gone(`no answer from Postgres for ${Math.round(silentMs)} ms`));
        if (now - startedAt >= this.mostMs) {
          return reject(
            new TooSlow(`Postgres answers, but held nothing in ${this.mostMs} ms, ${SLOW_FACTOR} times WEIR_LEDGER_TIMEOUT_MS`),
          );
        }
        if (silentMs >= this.probeAfterMs) void this.check();
        wait(Math.min(this.probeAfterMs, goneAfterMs - silentMs, startedAt + this.mostMs - now));
      };
      const wait = (ms: number) => {
        timer = setTimeout(() => setImmediate(look), Math.ceil(ms));
      };
      wait(this.probeAfterMs);
      promise.then(resolve, reject).finally(() => {
        isOver = true;
        clearTimeout(timer);
      });
    });
  }
}
