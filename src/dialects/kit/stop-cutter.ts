import type { ReplyEvent } from '../canonical.js';
import { TooMuchWork } from './long-event.js';
import { StopSequences } from './stop-sequences.js';

/** Events behind which no stop sequence goes on. */
const ENDS_TEXT: ReadonlySet<ReplyEvent['type']> = new Set(['tool_call', 'reasoning', 'refusal', 'image']);

/** More text in one piece than any model writes in an answer. */
const MAX_CHARACTERS = 2 * 1024 * 1024;

/** Ends an answer at the first of its stop sequences, for formats that take none. What comes after is thrown away, though it was made and is billed. */
export class StopCutter {
  private readonly sequences: StopSequences;
  /** Of each choice, what may be the beginning of a sequence. */
  private readonly held = new Map<number, { text: string; state: number }>();
  private readonly stoppedBy = new Map<number, string>();

  constructor(sequences: readonly string[]) {
    this.sequences = new StopSequences(sequences);
  }

  push(event: ReplyEvent): ReplyEvent[] {
    if (!('choice' in event)) return [event];
    const { choice } = event;
    const stopSequence = this.stoppedBy.get(choice);
    if (event.type === 'finish') {
      const isCut = stopSequence !== undefined && event.reason !== 'error';
      return [...this.release(choice), isCut ? { ...event, reason: 'stop', stopSequence } : event];
    }
    if (stopSequence !== undefined) return [];
    if (event.type === 'text') return this.text(event);
    return ENDS_TEXT.has(event.type) ? [...this.release(choice), event] : [event];
  }

  /** @throws TooMuchWork */
  private text(event: Extract<ReplyEvent, { type: 'text' }>): ReplyEvent[] {
    const { choice } = event;
    if (event.text.length > MAX_CHARACTERS) throw new TooMuchWork('a text is too long to be searched for stop sequences');
    const held = this.held.get(choice);
    const text = (held?.text ?? '') + event.text;
    const { state, end } = this.sequences.read(event.text, held?.state ?? 0);
    const read = text.length - event.text.length + end;
    const { begun, ended } = this.sequences;
    const kept = text.slice(read - (ended[state] || begun[state]!), read);
    this.held.delete(choice);
    if (ended[state]! > 0) this.stoppedBy.set(choice, kept);
    else if (kept !== '') this.held.set(choice, { text: kept, state });
    const given = text.slice(0, read - kept.length);
    return given === '' ? [] : [{ ...event, text: given }];
  }

  private release(choice: number): ReplyEvent[] {
    const held = this.held.get(choice);
    this.held.delete(choice);
    return held === undefined ? [] : [{ type: 'text', choice, text: held.text }];
  }
}
