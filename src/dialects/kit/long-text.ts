import type { ReplyEvent } from '../canonical.js';

/** Reading and writing so many characters takes about a millisecond. */
const PIECE_CHARACTERS = 64 * 1024;

const isLong = (event: ReplyEvent): event is Extract<ReplyEvent, { text: string }> =>
  'text' in event && event.text.length > PIECE_CHARACTERS;

/** The same as this event, each with a part of its text, where that is long. */
export function shortEvents(event: ReplyEvent): readonly ReplyEvent[] {
  if (!isLong(event)) return [event];
  const { text } = event;
  const events: ReplyEvent[] = [];
  for (let from = 0; from < text.length; ) {
    const to = from + PIECE_CHARACTERS;
    const end = isHighSurrogate(text.charCodeAt(to - 1)) ? to + 1 : to;
    events.push({ ...event, text: text.slice(from, end) });
    from = end;
  }
  return events;
}

/** A character of two units is not cut. */
const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;

/**
 * What is visited, one after the other, so that whoever works on it may give way in between.
 * @throws what `visitAll` throws, after what it visited before.
 */
export function* oneByOne<One>(visitAll: (visit: (one: One) => void) => void): Iterable<One> {
  const found: One[] = [];
  let failure: { error: unknown } | null = null;
  try {
    visitAll((one) => found.push(one));
  } catch (error) {
    failure = { error };
  }
  yield* found;
  if (failure) throw failure.error;
}
