/** Work that may be long. It gives way now and then: whoever drives it decides what comes between. */
export type Work<Result> = Generator<void, Result>;

/** Work in a row before others get their turn. */
const SLICE_MS = 5;

/** Does work in slices, each in a turn of the event loop of its own. What fits into one is done at once; only else it is a promise. */
export function inSlices<Result>(work: Work<Result>): Result | Promise<Result> {
  const first = slice(work);
  return first.done ? first.value : finish(work);
}

async function finish<Result>(work: Work<Result>): Promise<Result> {
  for (;;) {
    await ownTurn();
    const next = slice(work);
    if (next.done) return next.value;
  }
}

function slice<Result>(work: Work<Result>): IteratorResult<void, Result> {
  const until = performance.now() + SLICE_MS;
  for (;;) {
    const next = work.next();
    if (next.done || performance.now() >= until) return next;
  }
}

const waiting: (() => void)[] = [];

/**
 * Goes on in a turn of the event loop in which nothing else does that asked for one: thirty long requests at once take thirty turns for a step of
 * each, and short calls have theirs in between.
 */
export function ownTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(next);
  });
}

function next(): void {
  waiting[0]!();
  waiting.shift();
  if (waiting.length > 0) setImmediate(next);
}

/** Does work in one go. */
export function atOnce<Result>(work: Work<Result>): Result {
  for (;;) {
    const next = work.next();
    if (next.done) return next.value;
  }
}
