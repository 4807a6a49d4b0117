/**
 * Time since a moment, by the clock that says more. The monotonic clock stands still while a virtual machine is suspended; the wall clock may
 * be set back. A process that was only stopped sees both go on.
 */
export class Elapsed {
  private readonly monotonic = performance.now();
  private readonly wallClock = Date.now();

  ms(): number {
    return Math.max(performance.now() - this.monotonic, Date.now() - this.wallClock);
  }
}
