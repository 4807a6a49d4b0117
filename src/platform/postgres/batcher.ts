import { Turns } from '../../kernel/turns.js';

interface Waiting<In, Out> {
  item: In;
  resolve(out: Out): void;
  reject(error: unknown): void;
}

const MAX_ITEMS = 256;

interface Options<In> {
  /** Whose an item is: while more wait than a batch takes, they take turns. By default all are of one, and the first comes first. */
  turnOf?: (item: In) => string;
  /** How many may wait before `isFullFor` says so. */
  maxWaiting?: number;
}

/**
 * Self-clocked batches: while one is in flight the next forms, so an idle system pays one round trip and a busy one shares it.
 * No timer: a batch starts at the end of the event-loop turn that brought its first item.
 */
export class Batcher<In, Out> {
  /** The next batch, while all that wait fit into one. */
  private next: Waiting<In, Out>[] = [];
  /** All that wait, once they are more. */
  private readonly crowd = new Turns<Waiting<In, Out>>();
  private running = false;
  private readonly turnOf: (item: In) => string;
  private readonly maxWaiting: number;

  /** @param run answers one result per item, in order. Its rejection rejects every item of the batch. */
  constructor(
    private readonly run: (items: In[]) => Promise<Out[]>,
    { turnOf = () => '', maxWaiting = Number.POSITIVE_INFINITY }: Options<In> = {},
  ) {
    this.turnOf = turnOf;
    this.maxWaiting = Math.max(maxWaiting, MAX_ITEMS);
  }

  /**
   * Whether too many wait to add this item: who has the queue to himself may fill it, and where several wait each has a part of it. Never, while
   * nothing of the same turn waits.
   */
  isFullFor(item: In): boolean {
    if (this.crowd.size < this.maxWaiting) return false;
    const own = this.crowd.sizeOf(this.turnOf(item));
    return own > 0 && own >= this.maxWaiting / this.crowd.keys;
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
    for (const { reject } of [...this.next.splice(0), ...this.crowd.take(this.crowd.size)]) reject(error);
  }

  private enqueue(waiting: Waiting<In, Out>): void {
    if (this.crowd.size === 0) {
      if (this.next.length < MAX_ITEMS) {
        this.next.push(waiting);
        return;
      }
      for (const earlier of this.next.splice(0)) this.crowd.add(this.turnOf(earlier.item), earlier);
    }
    this.crowd.add(this.turnOf(waiting.item), waiting);
  }

  private async drain(): Promise<void> {
    for (let batch = this.nextBatch(); batch.length > 0; batch = this.nextBatch()) {
      try {
        const results = await this.run(batch.map((waiting) => waiting.item));
        for (let i = 0; i < batch.length; i++) batch[i]!.resolve(results[i]!);
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
      }
    }
    this.running = false;
  }

  private nextBatch(): Waiting<In, Out>[] {
    if (this.crowd.size > 0) return this.crowd.take(MAX_ITEMS);
    const batch = this.next;
    this.next = [];
    return batch;
  }
}
