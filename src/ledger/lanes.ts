import { type Asked, Batcher } from '../platform/postgres/index.js';
import { SHARDS, shardOf } from './shards.js';
import type { Weights } from './weights.js';

/** Periods and counters that the calls of one batch may touch. */
export const MAX_ROWS = 2_048;
const DEAR = { maxItems: 64, maxWeight: 512, maxWaiting: 256, isOneTurn: true };

interface OfTenant {
  tenantId: string;
}

/**
 * The batches of one kind of statement. A tenant's calls are in the lane of its shard, with those of others. A call that touches very many rows is in a
 * lane beside these, where no batch has calls of two tenants: whatever it costs or breaks, the others neither wait for it nor fail with it.
 */
export class Lanes<In extends OfTenant, Out> {
  private readonly shards: Batcher<In, Out>[];
  private readonly dear: Batcher<In, Out>;

  /** @param run of a batch; its lane is given to it. @param count is told how many calls each batch has. */
  constructor(
    run: (batch: Asked<In, Out>[], lane: Batcher<In, Out>) => Promise<void>,
    private readonly weights: Weights,
    private readonly weightOf: (item: In) => number,
    count: (calls: number) => void,
    maxWaiting = Number.POSITIVE_INFINITY,
  ) {
    const turnOf = ({ tenantId }: In) => tenantId;
    const open = (options: object): Batcher<In, Out> => {
      const lane: Batcher<In, Out> = new Batcher(
        (batch: Asked<In, Out>[]) => {
          count(batch.length);
          return run(batch, lane);
        },
        {
          turnOf,
          weightOf,
          maxWaiting,
          ...options,
        },
      );
      return lane;
    };
    this.shards = Array.from({ length: SHARDS }, () => open({ maxWeight: MAX_ROWS }));
    this.dear = open({ ...DEAR, maxWaiting: Math.min(DEAR.maxWaiting, maxWaiting) });
  }

  /** How many calls wait for their batch. */
  get size(): number {
    return this.shards.reduce((sum, { size }) => sum + size, this.dear.size);
  }

  of(item: In): Batcher<In, Out> {
    const isDear = this.weights.isDear(item.tenantId, this.weightOf(item));
    return isDear ? this.dear : this.shards[shardOf(item.tenantId)]!;
  }
}
