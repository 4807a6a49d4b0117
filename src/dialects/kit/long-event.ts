import { JsonCost } from '../../kernel/json-cost.js';

/** Longest event accepted, in bytes: a base64 image fits. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Parsing an event takes less than 50 ms up to here. */
const MAX_VALUES = 300_000;

/** Reading this would hold up other calls. */
export class TooMuchWork extends Error {}

/** The pieces of an event that is not whole yet. Joined only when it may be, so that many small chunks are not copied again and again. */
export class LongEvent {
  bytes = 0;
  private pieces: Buffer[] = [];
  private cost = new JsonCost();

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  /** @throws TooMuchWork when it gets longer than 16 MiB, or has too many values. */
  add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.pieces.push(piece);
    this.bytes += piece.length;
    if (this.bytes > MAX_BYTES) throw new TooMuchWork('an event is longer than 16 MiB');
    this.cost.add(piece);
    if (this.cost.total > MAX_VALUES) throw new TooMuchWork('an event has too many JSON values');
  }

  /** All of it, and empties this. */
  take(...last: Buffer[]): Buffer {
    const pieces = [...this.pieces, ...last];
    this.bytes = 0;
    this.pieces = [];
    this.cost = new JsonCost();
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }
}
