import { WeirError } from '../../kernel/errors.js';
import { networkOf } from './addresses.js';

const BURST = 100;
const PER_SECOND = 10;
/** A table of addresses that cannot fill the memory: the one that was quiet for longest is forgotten. */
const MAX_ADDRESSES = 10_000;

interface Bucket {
  left: number;
  at: number;
}

/**
 * Counts keys that are not valid, by the address they come from: 100 at once, then 10 a second. Ask it only after the key was checked: a valid
 * key is never slowed down, whoever else calls from its address.
 */
export class BadKeys {
  private readonly buckets = new Map<string, Bucket>();
  private total = 0;
  private slowed = 0;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** What the sender of a bad key is answered: `refusal`, or, when too many came from its address, 429. */
  count(address: string, refusal: WeirError): WeirError {
    this.total++;
    const bucket = this.bucketOf(networkOf(address));
    if (bucket.left >= 1) {
      bucket.left--;
      return refusal;
    }
    this.slowed++;
    return new WeirError('too_many_bad_keys');
  }

  /** Keys that were not valid, since the start. */
  get counted(): number {
    return this.total;
  }

  /** Those of them that were answered 429. */
  get throttled(): number {
    return this.slowed;
  }

  private bucketOf(network: string): Bucket {
    const now = this.now();
    const known = this.buckets.get(network);
    const left = known ? Math.min(BURST, known.left + ((now - known.at) / 1000) * PER_SECOND) : BURST;
    const bucket = { left, at: now };
    this.buckets.delete(network);
    this.buckets.set(network, bucket);
    if (this.buckets.size > MAX_ADDRESSES) this.buckets.delete(this.buckets.keys().next().value!);
    return bucket;
  }
}
