/** Those of one key, first come, first served. */
interface Line<T> {
  key: string;
  items: T[];
  /** How many of them have been taken. */
  taken: number;
}

/** What has been taken is let go of when it is this much, and half of the line. */
const LET_GO = 256;

/** A queue in which keys take turns, one item each, however many wait for each of them. Adding and taking do not get slower with what waits. */
export class Turns<T> {
  private readonly byKey = new Map<string, Line<T>>();
  /** Whose turn is next comes first. */
  private lines: Line<T>[] = [];
  private count = 0;

  /** How many items wait. */
  get size(): number {
    return this.count;
  }

  /** How many keys have items that wait. */
  get keys(): number {
    return this.lines.length;
  }

  /** How many items of a key wait. */
  sizeOf(key: string): number {
    const line = this.byKey.get(key);
    return line ? line.items.length - line.taken : 0;
  }

  add(key: string, item: T): void {
    this.count++;
    let line = this.byKey.get(key);
    if (!line) {
      line = { key, items: [], taken: 0 };
      this.byKey.set(key, line);
      this.lines.push(line);
    }
    line.items.push(item);
  }

  /**
   * Takes this many items, or all there are: of each key one, of each that has more another one, and so on. It ends before the first that does not
   * fit, whose turn is next then.
   */
  take(most: number, fits: (item: T) => boolean = () => true): T[] {
    const taken: T[] = [];
    let isFull = false;
    while (!isFull && taken.length < most && this.lines.length > 0) {
      const served = this.lines.splice(0, most - taken.length);
      for (const [number, line] of served.entries()) {
        const item = line.items[line.taken]!;
        isFull = !fits(item);
        if (isFull) {
          this.lines.unshift(...served.slice(number));
          break;
        }
        taken.push(item);
        line.taken++;
        if (this.isOver(line)) this.byKey.delete(line.key);
        else this.lines.push(line);
      }
    }
    this.count -= taken.length;
    return taken;
  }

  private isOver(line: Line<T>): boolean {
    const { items, taken } = line;
    if (taken === items.length) return true;
    if (taken >= LET_GO && taken * 2 >= items.length) {
      line.items = items.slice(taken);
      line.taken = 0;
    }
    return false;
  }
}
