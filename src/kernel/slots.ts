/** What can stand in a slot: it remembers which. */
export interface Slotted {
  slot: number;
}

/**
 * A set for what comes and goes thousands of times a second. A Set or Map that churns replaces its table again and again, and each dead table
 * points to the next with all that stood in it: one that has grown old keeps every item, and what hangs on it, out of the cheap collections.
 */
export class Slots<T extends Slotted> {
  private readonly items: (T | null)[] = [];
  private readonly free: number[] = [];

  get size(): number {
    return this.items.length - this.free.length;
  }

  add(item: T): void {
    item.slot = this.free.pop() ?? this.items.length;
    this.items[item.slot] = item;
  }

  /** The item must stand here. */
  delete(item: T): void {
    this.items[item.slot] = null;
    this.free.push(item.slot);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const item of this.items) if (item) yield item;
  }
}
