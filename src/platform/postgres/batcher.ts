interface Waiting<In, Out> {
  item: In;
  resolve(out: Out): void;
  reject(error: unknown): void;
}

/**
 * Self-clocked batches: while one is in flight the next forms, so an idle system pays one round trip and a busy one shares it.
 * No timer: a batch starts at the end of the event-loop turn that brought its first item.
 */
export class Batcher<In, Out> {
  private waiting: Waiting<In, Out>[] = [];
  private running = false;

  /** @param run answers one result per item, in order. Its rejection rejects every item of the batch. */
  constructor(
    private readonly run: (items: In[]) => Promise<Out[]>,
    private readonly maxItems = 256,
  ) {}

  /** How many items have not been sent yet. */
  get backlog(): number {
    return this.waiting.length;
  }

  add(item: In): Promise<Out> {
    return new Promise<Out>((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.running) return;
      this.running = true;
      setImmediate(() => void this.drain());
    });
  }

  /** Turns away all that have not been sent yet. */
  rejectWaiting(error: unknown): void {
    for (const waiting of this.waiting.splice(0)) waiting.reject(error);
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.length <= this.maxItems ? this.waiting : this.waiting.slice(0, this.maxItems);
      this.waiting = this.waiting.length <= this.maxItems ? [] : this.waiting.slice(this.maxItems);
      try {
        const results = await this.run(batch.map((waiting) => waiting.item));
        for (let i = 0; i < batch.length; i++) batch[i]!.resolve(results[i]!);
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
      }
    }
    this.running = false;
  }
}
