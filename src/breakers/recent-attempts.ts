const WINDOW_SECONDS = 10;
const STALE_SECONDS = 600;
const FAILED_SHARE = 0.5;

/** How the attempts at one target went in the last ten seconds, by whole seconds. Times are of the monotonic clock, in ms. */
export class RecentAttempts {
  private readonly attempts = new Uint32Array(WINDOW_SECONDS);
  private readonly failures = new Uint32Array(WINDOW_SECONDS);
  private second = Number.NEGATIVE_INFINITY;
  failedInARow = 0;

  /**
   * Counts an attempt.
   * @param enough how many failures in a row are too many, and how many attempts say something about their share.
   * @returns what there is too much of; null: nothing.
   */
  add(failed: boolean, enough: number, nowMs: number): string | null {
    const slot = this.slotAt(nowMs);
    this.attempts[slot]!++;
    if (!failed) {
      this.failedInARow = 0;
      return null;
    }
    this.failures[slot]!++;
    this.failedInARow++;
    if (this.failedInARow >= enough) return inARow(this.failedInARow);
    const [attempts, failures] = [sum(this.attempts), sum(this.failures)];
    return attempts >= enough && failures >= attempts * FAILED_SHARE
      ? `failed ${failures} of ${attempts} times within ${WINDOW_SECONDS} s`
      : null;
  }

  /** There was none for so long that nothing is left to count, or that failures in a row say nothing any more. */
  isOver(nowMs: number): boolean {
    return Math.floor(nowMs / 1000) - this.second >= (this.failedInARow === 0 ? WINDOW_SECONDS : STALE_SECONDS);
  }

  private slotAt(nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    for (let at = Math.max(this.second + 1, second - WINDOW_SECONDS + 1); at <= second; at++)
      this.attempts[at % WINDOW_SECONDS] = this.failures[at % WINDOW_SECONDS] = 0;
    this.second = second;
    return second % WINDOW_SECONDS;
  }
}

export const inARow = (times: number): string => `failed ${times} times in a row`;

const sum = (counts: Uint32Array): number => counts.reduce((total, count) => total + count, 0);
