import type { ReplyEvent } from '../canonical.js';
import { isObject, parsed, textOf } from './json.js';

export const CALL_OPEN = '<tool_call>';
export const CALL_CLOSE = '</tool_call>';

/**
 * Finds the tool calls that a model writes in its text. Only what stands between the tags is a call: JSON elsewhere stays text, and so do tags
 * that are never closed or hold no call. Text that may still become a tag, and blanks before it, are kept back.
 */
export class PromptedToolParser {
  private readonly choices = new Map<number, ChoiceText>();

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
      default:
        return [event];
    }
  }

  private choice(index: number): ChoiceText {
    let choice = this.choices.get(index);
    if (!choice) {
      choice = new ChoiceText(index);
      this.choices.set(index, choice);
    }
    return choice;
  }
}

/** The text of one answer. */
class ChoiceText {
  /** What is not decided yet: outside a tag its beginning, inside one what follows it. */
  private pending = '';
  private inside = false;
  /** Blanks before the tag that is open: they go if it is a call. */
  private blanks = '';
  /** Where to look for the closing tag from. */
  private closeFrom = 0;
  private strings = new StringScan();
  private calls = 0;
  private readonly native = new Map<number, number>();
  /** Nothing but blanks since the last call. */
  private afterCall = false;

  constructor(private readonly index: number) {}

  text(text: string): ReplyEvent[] {
    this.pending += text;
    const events: ReplyEvent[] = [];
    for (let found = this.step(); found !== null; found = this.step()) events.push(...found);
    return events;
  }

  end(): ReplyEvent[] {
    const left = this.inside ? this.blanks + CALL_OPEN + this.pending : this.pending;
    const dropped = this.afterCall && left.trim() === '';
    [this.pending, this.blanks, this.inside] = ['', '', false];
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
    return this.inside ? this.close() : this.open();
  }

  private open(): ReplyEvent[] | null {
    const at = this.pending.indexOf(CALL_OPEN);
    const end = at === -1 ? this.pending.length - partialTag(this.pending) : at;
    const textEnd = this.pending.slice(0, end).trimEnd().length;
    const text = this.pending.slice(0, textEnd);
    if (at === -1) {
      this.pending = this.pending.slice(textEnd);
      return text === '' ? null : this.say(text);
    }
    this.blanks = this.pending.slice(textEnd, at);
    this.pending = this.pending.slice(at + CALL_OPEN.length);
    this.inside = true;
    this.closeFrom = 0;
    this.strings = new StringScan();
    return this.say(text);
  }

  private close(): ReplyEvent[] | null {
    const at = this.pending.indexOf(CALL_CLOSE, this.closeFrom);
    if (at === -1) {
      this.closeFrom = Math.max(0, this.pending.length - CALL_CLOSE.length + 1);
      return null;
    }
    const end = at + CALL_CLOSE.length;
    // The tag is a word in an argument.
    if (this.strings.endsInside(this.pending, at)) {
      this.closeFrom = end;
      return [];
    }
    const body = this.pending.slice(0, at);
    const call = readCall(body);
    this.pending = this.pending.slice(end);
    this.inside = false;
    if (!call) return this.say(this.blanks + CALL_OPEN + body + CALL_CLOSE);
    this.afterCall = true;
    const number = this.calls++;
    const common = { choice: this.index, call: number };
    return [
      { type: 'tool_call', ...common, id: null, name: call.name },
      { type: 'arguments', ...common, text: call.arguments },
    ];
  }

  private say(text: string): ReplyEvent[] {
    if (text === '') return [];
    this.afterCall = false;
    return [{ type: 'text', choice: this.index, text }];
  }
}

/** How many characters at the end may become the opening tag. */
function partialTag(text: string): number {
  for (let length = Math.min(CALL_OPEN.length - 1, text.length); length > 0; length--)
    if (text.endsWith(CALL_OPEN.slice(0, length))) return length;
  return 0;
}

function readCall(json: string): { name: string; arguments: string } | null {
  const call = parsed(json);
  if (!isObject(call)) return null;
  const name = textOf(call['name']);
  const given = call['arguments'] ?? call['parameters'] ?? {};
  // Some models write the object as a text.
  const args = typeof given === 'string' ? parsed(given) : given;
  return name && isObject(args) ? { name, arguments: JSON.stringify(args) } : null;
}

/** Tells whether a JSON text that grows breaks off inside a string. Looks at each character once, however often it is asked. */
class StringScan {
  private at = 0;
  private inside = false;

  endsInside(json: string, end: number): boolean {
    for (; this.at < end; this.at++) {
      if (json[this.at] === '"') this.inside = !this.inside;
      else if (this.inside && json[this.at] === '\\') this.at++;
    }
    return this.inside;
  }
}
