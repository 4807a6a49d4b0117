/** No turn of the event loop may take longer, in CPU time. */
const MAX_MS = 50;
/**
 * How often a turn that took too long is tried before it counts. Code that runs for the first time is slow, garbage of earlier work is collected
 * at any time, and on a busy host even CPU time is too long now and then. A turn that is truly too long is too long each time.
 */
const MAX_ROUNDS = 10;

/**
 * Finds the turns of a piece of work that are too long, and only those: what a check does between them does not count. The work is the same in each
 * round, so a turn is known by its place.
 */
export class Turns {
  /** Turns that took too long in every round so far; null in the first round. */
  #suspects: Set<number> | null = null;
  #tooLong = new Set<number>();
  #next = 0;
  #rounds = 0;

  /** Does what the gateway does in one turn. */
  turn<Result>(work: () => Result): Result {
    const at = this.#next++;
    if (this.#suspects && !this.#suspects.has(at)) return work();
    // A clock is cheaper to read than CPU time, and never shows less.
    const clock = this.#suspects ? cpuMs : () => performance.now();
    const begun = clock();
    try {
      return work();
    } finally {
      if (clock() - begun > MAX_MS) this.#tooLong.add(at);
    }
  }

  /** Ends a round: whether another must tell. */
  isUnsure(): boolean {
    this.#suspects = this.#tooLong;
    this.#tooLong = new Set();
    this.#next = 0;
    return this.#suspects.size > 0 && ++this.#rounds < MAX_ROUNDS;
  }

  /** What is wrong, once all rounds are done. */
  get fault(): string | null {
    return this.#suspects?.size ? `it holds the event loop for more than ${MAX_MS} ms` : null;
  }
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
