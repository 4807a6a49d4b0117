/** Completed calls that are remembered of a model and effort. */
const KEPT = 1_000;
/** Fewer say nothing. */
const ENOUGH = 50;
/** Models and efforts that are remembered; the one that was not called for longest is forgotten. */
const MAX_MODELS = 1_000;
const PERCENTILE = 0.95;

/** How much more than what was seen of an answer its model usually made: reasoning that is counted and not shown. */
export class HiddenShares {
  private readonly byModel = new Map<string, Shares>();

  /** @param seen tokens by our own meter; @param counted by the provider, at the end. */
  learn(model: string, seen: number, counted: number): void {
    if (seen <= 0) return;
    const shares = this.byModel.get(model) ?? new Shares();
    this.byModel.delete(model);
    this.byModel.set(model, shares);
    shares.add(Math.max(0, counted - seen) / seen);
    if (this.byModel.size > MAX_MODELS) for (const oldest of this.byModel.keys()) return void this.byModel.delete(oldest);
  }

  /** Hidden tokens to each that is seen, at the 95th percentile; null: too few calls are known. */
  of(model: string): number | null {
    return this.byModel.get(model)?.percentile() ?? null;
  }
}

class Shares {
  private readonly last: number[] = [];
  private next = 0;
  /** Until another is added: it is asked for each call in flight. */
  private found: number | null = null;

  add(share: number): void {
    this.last[this.next] = share;
    this.next = (this.next + 1) % KEPT;
    this.found = null;
  }

  percentile(): number | null {
    if (this.last.length < ENOUGH) return null;
    this.found ??= Float64Array.from(this.last).sort()[Math.ceil(this.last.length * PERCENTILE) - 1]!;
    return this.found;
  }
}
