import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** What a request is refused for. Labels of a metric. */
export type ShedReason = 'event_loop' | 'heap' | 'calls';

/** How much a process has to do. */
export interface Load {
  /** How late the event loop is, on average. */
  loopDelayMs: number;
  /** How much of the heap that V8 may have is used: from 0 to 1. */
  heapPart: number;
}

const MAX_HEAP_PART = 0.9;
/** Below these parts of the bounds the load is over; in between nothing changes, so that it does not flap. */
const CALM = { loopDelay: 0.5, heap: 0.9 };
/** What is left of the limit after each look at a load that is too high, and what it becomes after each at one that is over. */
const FALL = 0.8;
const RISE = 1.25;
/** So few requests at a time are no load: what holds the process up is something else. */
const MIN_LIMIT = 50;
/** A request and its answer take less on average. */
const HEAP_BYTES_PER_CALL = 256 * 1024;

/** Requests that may be open at a time, where nobody says how many. */
export const callsForHeap = (): number => Math.floor(getHeapStatistics().heap_size_limit / HEAP_BYTES_PER_CALL);

/**
 * Counts the requests that are open, by whose they are, and refuses some while there are too many: more than a limit, which falls while the
 * process has too much to do. Then each owner gets its part of the limit by the number of owners, and one request at least, so that whoever
 * sends most is refused first.
 */
export class LoadControl {
  private readonly open = new Map<string, number>();
  private total = 0;
  private current: number;
  private strain: 'event_loop' | 'heap' | null = null;

  /** @param max requests that are open at a time. */
  constructor(
    private readonly max: number,
    private readonly maxLoopDelayMs: number,
  ) {
    this.current = max;
  }

  /** Requests that may be open at a time now. */
  get limit(): number {
    return this.current;
  }

  /** A request came. Null: it is served, and `end` follows; else why it is not. */
  begin(owner: string): ShedReason | null {
    const own = this.open.get(owner) ?? 0;
    const owners = this.open.size + (own === 0 ? 1 : 0);
    if (this.total >= this.current && own >= this.current / owners) return this.strain ?? 'calls';
    this.open.set(owner, own + 1);
    this.total++;
    return null;
  }

  end(owner: string): void {
    const own = this.open.get(owner)!;
    if (own > 1) this.open.set(owner, own - 1);
    else this.open.delete(owner);
    this.total--;
  }

  /** To be told several times a minute at least. */
  measured({ loopDelayMs, heapPart }: Load): void {
    const { maxLoopDelayMs: maxDelayMs, max } = this;
    const strain = heapPart > MAX_HEAP_PART ? 'heap' : loopDelayMs > maxDelayMs ? 'event_loop' : null;
    if (strain) {
      this.strain = strain;
      this.current = Math.max(Math.min(MIN_LIMIT, max), Math.floor(Math.min(this.current, this.total) * FALL));
    } else if (loopDelayMs < maxDelayMs * CALM.loopDelay && heapPart < MAX_HEAP_PART * CALM.heap) {
      this.current = Math.min(max, Math.ceil(this.current * RISE));
      if (this.current === max) this.strain = null;
    }
  }
}

const RESOLUTION_MS = 10;

/** Measures the load of this process, each time since the last. */
export class LoadMeter {
  private readonly delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.delay.enable();
  }

  read(): Load {
    const { mean } = this.delay;
    this.delay.reset();
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    return { loopDelayMs: Number.isNaN(mean) ? 0 : Math.max(0, mean / 1e6 - RESOLUTION_MS), heapPart: used / limit };
  }

  stop(): void {
    this.delay.disable();
  }
}
