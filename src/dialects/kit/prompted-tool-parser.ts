import type { ReplyEvent } from '../canonical.js';
import { InnerValues } from './inner-json.js';
import { isObject, textOf, writeJson } from './json.js';

export const CALL_OPEN = '<tool_call>';
export const CALL_CLOSE = '</tool_call>';

/**
 * Finds the tool calls that a model writes in its text. Only what stands between the tags is a call: JSON elsewhere stays text, and so do tags
 * that are never closed or hold no call. Text that may still become a tag, and blanks before it, are kept back.
 */
export class PromptedToolParser {
  private readonly choices = new Map<number, ChoiceText>();
  private readonly values = new InnerValues();

  /** The events to give on for this one. A `finish` gives up what was kept back. */
  push(event: ReplyEvent): ReplyEvent[] {
    switch (event.type) {
      case 'text':
        return this.choice(event.choice).text(event.text);
      case 'tool_call':
      case 'arguments':
        return [{ ...event, call: this.choice(event.choice).nativeCall(event.call) }];
      case 'finish':
        return [...this.choice(event.choice).end(), event];
      case 'start':
      case 'refusal':
      case 'reasoning':
      case 'reasoning_state':
      case 'annotation':
      case 'image':
      case 'logprobs':
      case 'other':
      case 'usage':
        return [event];
    }
  }

  private choice(index: number): ChoiceText {
    let choice = this.choices.get(index);
    if (!choice) {
      choice = new ChoiceText(index, this.values);
      this.choices.set(index, choice);
    }
    return choice;
  }
}

/** An answer has far fewer. What follows stays text: trying to read it as calls would hold up others. */
const MAX_TAGS = 256;

/** The text of one answer. */
class ChoiceText {
  /** The end of what came, which may be the beginning of a tag. */
  private pending = '';
  /** Blanks that came last: they go if a call follows. */
  private blanks = '';
  /** What follows the tag that is open. */
  private body: CallBody | null = null;
  private tags = 0;
  private calls = 0;
  private readonly native = new Map<number, number>();
  /** Nothing but blanks since the last call. */
  private afterCall = false;

  /** @param values of all calls of the reply. */
  constructor(
    private readonly index: number,
    private readonly values: InnerValues,
  ) {}

  text(text: string): ReplyEvent[] {
    this.pending += text;
    const events: ReplyEvent[] = [];
    for (let found = this.step(); found !== null; found = this.step()) events.push(...found);
    return events;
  }

  end(): ReplyEvent[] {
    const left = this.blanks + (this.body ? CALL_OPEN + this.body.text : '') + this.pending;
    const dropped = this.afterCall && left.trim() === '';
    [this.pending, this.blanks, this.body] = ['', '', null];
    return dropped ? [] : this.say(left);
  }

  /** A model that calls in both ways has its calls counted in one row. */
  nativeCall(call: number): number {
    let number = this.native.get(call);
    if (number === undefined) {
      number = this.calls++;
      this.native.set(call, number);
    }
    return number;
  }

  /** Null: more is needed. */
  private step(): ReplyEvent[] | null {
    return this.body ? this.close(this.body) : this.open();
  }

  private open(): ReplyEvent[] | null {
    const at = this.tags < MAX_TAGS ? this.pending.indexOf(CALL_OPEN) : -1;
    const end = at === -1 ? this.pending.length - partialTag(this.pending, CALL_OPEN) : at;
    const textEnd = this.pending.slice(0, end).trimEnd().length;
    const text = textEnd === 0 ? '' : this.blanks + this.pending.slice(0, textEnd);
    this.blanks = (textEnd === 0 ? this.blanks : '') + this.pending.slice(textEnd, end);
    this.pending = this.pending.slice(at === -1 ? end : at + CALL_OPEN.length);
    if (at === -1) return text === '' ? null : this.say(text);
    this.tags++;
    this.body = new CallBody();
    return this.say(text);
  }

  private close(body: CallBody): ReplyEvent[] | null {
    const at = this.pending.indexOf(CALL_CLOSE);
    const end = at === -1 ? this.pending.length - partialTag(this.pending, CALL_CLOSE) : at;
    body.add(this.pending.slice(0, end));
    this.pending = this.pending.slice(end);
    if (at === -1) return null;
    this.pending = this.pending.slice(CALL_CLOSE.length);
    // The tag is a word in an argument.
    if (body.endsInside) {
      body.add(CALL_CLOSE);
      return [];
    }
    const { text } = body;
    const call = readCall(text, this.values);
    this.body = null;
    if (!call) return this.say(this.takeBlanks() + CALL_OPEN + text + CALL_CLOSE);
    this.blanks = '';
    this.afterCall = true;
    const number = this.calls++;
    const common = { choice: this.index, call: number };
    return [
      { type: 'tool_call', ...common, id: null, name: call.name },
      { type: 'arguments', ...common, text: call.arguments },
    ];
  }

  private takeBlanks(): string {
    const { blanks } = this;
    this.blanks = '';
    return blanks;
  }

  private say(text: string): ReplyEvent[] {
    if (text === '') return [];
    this.afterCall = false;
    return [{ type: 'text', choice: this.index, text }];
  }
}

/** What is written between the tags, piece by piece. Each piece is looked at once. */
class CallBody {
  /** It breaks off inside a string. */
  endsInside = false;
  private readonly pieces: string[] = [];
  /** It breaks off after a backslash. */
  private escapes = false;

  add(piece: string): void {
    this.pieces.push(piece);
    for (let at = 0; at < piece.length; at++) {
      if (this.escapes) this.escapes = false;
      else if (piece[at] === '"') this.endsInside = !this.endsInside;
      else this.escapes = this.endsInside && piece[at] === '\\';
    }
  }

  get text(): string {
    return this.pieces.join('');
  }
}

/** How many characters at the end may become a tag. */
function partialTag(text: string, tag: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--) if (text.endsWith(tag.slice(0, length))) return length;
  return 0;
}

function readCall(json: string, values: InnerValues): { name: string; arguments: string } | null {
  const call = values.objectIn(json);
  if (!call) return null;
  const name = textOf(call['name']);
  const given = call['arguments'] ?? call['parameters'] ?? {};
  // Some models write the object as a text.
  const args = typeof given === 'string' ? values.objectIn(given) : given;
  return name && isObject(args) ? { name, arguments: writeJson(args) } : null;
}
