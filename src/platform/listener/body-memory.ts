import { getHeapStatistics } from 'node:v8';

/** The part of the heap that request bodies may fill. A body is parsed, so it needs several times its size. */
const PART_OF_HEAP = 8;
const PART_OF_OWNER = 4;

interface Body {
  owner: string;
  bytes: number;
}

/**
 * Counts the bytes of request bodies that are in memory, by whose they are. One owner gets a quarter at most, or one body of the largest size.
 * When all is used, each owner still gets its part by the number of owners, so that a few cannot keep others out.
 */
export class BodyMemory {
  private readonly bodies = new Map<object, Body>();
  private readonly used = new Map<string, number>();
  private total = 0;

  /** @param maxBody bytes of the largest body. @param max bytes of all bodies together. */
  constructor(
    private readonly maxBody: number,
    private readonly max = Math.floor(getHeapStatistics().heap_size_limit / PART_OF_HEAP),
  ) {}

  /** A body is coming. @param request what `take` and `close` name it by. */
  open(request: object, owner: string): void {
    this.bodies.set(request, { owner, bytes: 0 });
  }

  /** False: there is no room for more of it. */
  take(request: object, bytes: number): boolean {
    const body = this.bodies.get(request);
    if (!body) return false; // its connection is closed
    const own = (this.used.get(body.owner) ?? 0) + bytes;
    if (own > Math.max(this.maxBody, this.max / PART_OF_OWNER)) return false;
    const owners = this.used.size + (this.used.has(body.owner) ? 0 : 1);
    if (this.total + bytes > this.max && own > this.max / owners) return false;
    body.bytes += bytes;
    this.used.set(body.owner, own);
    this.total += bytes;
    return true;
  }

  /** Nothing of it is needed any more. */
  close(request: object): void {
    const body = this.bodies.get(request);
    if (!body) return;
    this.bodies.delete(request);
    const left = (this.used.get(body.owner) ?? 0) - body.bytes;
    if (left > 0) this.used.set(body.owner, left);
    else this.used.delete(body.owner);
    this.total -= body.bytes;
  }

  get bytes(): number {
    return this.total;
  }
}
