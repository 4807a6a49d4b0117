import { Turns } from '../../kernel/turns.js';

/** An item, and whom to answer. Only the first answer counts. */
export interface Asked<In, Out> {
  item: In;
  resolve(out: Out | PromiseLike<Out>): void;
  reject(error: unknown): void;
}

interface Options<In> {
  /** Whose an item is: while more wait than a batch takes, they take turns. By default all are of one, and the first comes first. */
  turnOf?: (item: In) => string;
  /** How many may wait before `isFullFor` says so. */
  maxWaiting?: number;
  /** How many a batch takes. */
  maxItems?: number;
  /** How much of a batch an item takes up, and how much there is. An item of more than that gets a batch to itself. */
  weightOf?: (item: In) => number;
  maxWeight?: number;
  /** A batch has items of one turn only. */
  isOneTurn?: boolean;
}

/** What a batch has taken so far. */
interface Load {
  items: number;
  weight: number;
  turn: string;
}

const EMPTY: Load = { items: 0, weight: 0, turn: '' };

/**
 * Self-clocked batches: while one is in flight the next forms, so an idle system pays one round trip and a busy one shares it.
 * No timer: a batch starts at the end of the event-loop turn that brought its first item.
 */
export class Batcher<In, Out> {
  /** The next batch, while all that wait fit into one. */
  private next: Asked<In, Out>[] = [];
  private nextLoad = EMPTY;
  /** All that wait, once they are more. */
  private readonly crowd = new Turns<Asked<In, Out>>();
  private running = false;
  private readonly options: Required<Options<In>>;

  /** @param run answers every item of the batch; those it has not answered when it rejects are rejected. The next batch starts when it is over. */
  constructor(
    private readonly run: (batch: Asked<In, Out>[]) => Promise<void>,
    options: Options<In> = {},
  ) {
    const unbounded = Number.POSITIVE_INFINITY;
    const defaults = { turnOf: () => '', maxWaiting: unbounded, maxItems: 256, weightOf: () => 1, maxWeight: unbounded, isOneTurn: false };
    this.options = { ...defaults, ...options };
  }

  /** How many wait for their batch. */
  get size(): number {
    return this.next.length + this.crowd.size;
  }

  /**
   * Whether too many wait to add this item: who has the queue to himself may fill it, and where several wait each has a part of it. Never, while
   * nothing of the same turn waits.
   */
  isFullFor(item: In): boolean {
    const { turnOf, maxWaiting } = this.options;
    if (this.crowd.size < maxWaiting) return false;
    const own = this.crowd.sizeOf(turnOf(item));
    return own > 0 && own >= maxWaiting / this.crowd.keys;
  }

  add(item: In): Promise<Out> {
    return new Promise<Out>((resolve, reject) => {
      this.enqueue({ item, resolve, reject });
      if (this.running) return;
      this.running = true;
      setImmediate(() => void this.drain());
    });
  }

  /** Turns away all that have not been sent yet. */
  rejectWaiting(error: unknown): void {
    for (const { reject } of [...this.takeNext(), ...this.crowd.take(this.crowd.size)]) reject(error);
  }

  private enqueue(waiting: Asked<In, Out>): void {
    if (this.crowd.size === 0) {
      const load = this.withItem(this.nextLoad, waiting.item);
      if (load) {
        this.nextLoad = load;
        this.next.push(waiting);
        return;
      }
      for (const earlier of this.takeNext()) this.crowd.add(this.options.turnOf(earlier.item), earlier);
    }
    this.crowd.add(this.options.turnOf(waiting.item), waiting);
  }

  /** What a batch holds with one more item; null: the item does not fit. */
  private withItem({ items, weight, turn }: Load, item: In): Load | null {
    const { maxItems, maxWeight, weightOf, turnOf, isOneTurn } = this.options;
    const load = { items: items + 1, weight: weight + weightOf(item), turn: turnOf(item) };
    const fits = items === 0 || (load.items <= maxItems && load.weight <= maxWeight && (!isOneTurn || load.turn === turn));
    return fits ? load : null;
  }

  private async drain(): Promise<void> {
    for (let batch = this.nextBatch(); batch.length > 0; batch = this.nextBatch()) {
      try {
        await this.run(batch);
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
      }
    }
    this.running = false;
  }

  private nextBatch(): Asked<In, Out>[] {
    if (this.crowd.size === 0) return this.takeNext();
    let load = EMPTY;
    return this.crowd.take(this.options.maxItems, ({ item }) => {
      const grown = this.withItem(load, item);
      if (grown) load = grown;
      return grown !== null;
    });
  }

  private takeNext(): Asked<In, Out>[] {
    const batch = this.next;
    this.next = [];
    this.nextLoad = EMPTY;
    return batch;
  }
}
