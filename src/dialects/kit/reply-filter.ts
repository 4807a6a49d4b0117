import type { ReplyEvent } from '../canonical.js';
import type { ReplyContext } from '../dialect.js';
import { isNothing } from './call-arguments.js';
import { PromptedToolParser } from './prompted-tool-parser.js';
import { StopCutter } from './stop-cutter.js';

type ToolCall = Extract<ReplyEvent, { type: 'tool_call' }>;
type Arguments = Extract<ReplyEvent, { type: 'arguments' }>;
type Finish = Extract<ReplyEvent, { type: 'finish' }>;

/** A tool call as its client will see it. */
interface SeenCall {
  choice: number;
  /** As the client counts; null: it stands for the answer's text. */
  call: number | null;
  /** Kept back while it may turn out to be nothing; null once it did not. */
  pending: string | null;
}

/**
 * Makes the events of any provider what every client may rely on: tool calls have their own names and ids, arguments are never empty, and an
 * answer with calls ends in `tool_calls`.
 */
export class ReplyFilter {
  private readonly calls = new Map<string, SeenCall>();
  private readonly prompted: PromptedToolParser | null;
  private readonly cutter: StopCutter | null;
  /** Calls given out so far, by choice. */
  private readonly given: number[] = [];
  private readonly used: Set<string>;

  /**
   * @param idBase unique for the reply; letters and digits.
   * @param see gets every event that is given on.
   * @param used ids of calls in the conversation: clients pair calls and results by id alone.
   */
  constructor(
    private readonly context: ReplyContext,
    private readonly idBase: string,
    private readonly see: ((event: ReplyEvent) => void) | null = null,
    used: ReadonlySet<string> = new Set(),
  ) {
    this.used = new Set(used);
    this.prompted = context.promptedTools ? new PromptedToolParser() : null;
    this.cutter = context.stop?.length ? new StopCutter(context.stop) : null;
  }

  /** It looks at each letter of a text. */
  get readsLetters(): boolean {
    return this.prompted !== null;
  }

  /** The events to give on for this one. */
  push(event: ReplyEvent): ReplyEvent[] {
    const own = this.prompted ? this.prompted.push(event).flatMap((found) => this.filter(found)) : this.filter(event);
    const events = this.cutter ? own.flatMap((said) => this.cutter!.push(said)) : own;
    if (this.see) events.forEach(this.see);
    return events;
  }

  private filter(event: ReplyEvent): ReplyEvent[] {
    switch (event.type) {
      case 'tool_call':
        return this.begin(event);
      case 'arguments':
        return this.goOn(event);
      case 'finish':
        return [...this.complete(event.choice), this.finish(event)];
      case 'start':
      case 'text':
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

  private begin(event: ToolCall): ReplyEvent[] {
    const { choice } = event;
    if (event.name === this.context.outputTool) {
      this.calls.set(keyOf(event), { choice, call: null, pending: null });
      return [];
    }
    const call = this.given[choice] ?? 0;
    this.given[choice] = call + 1;
    this.calls.set(keyOf(event), { choice, call, pending: '' });
    const name = this.context.toolNames.get(event.name) ?? event.name;
    const isFree = event.id && !this.used.has(event.id);
    const id = isFree ? event.id! : `call_${this.idBase}${choice === 0 ? '' : `c${choice}`}n${call}`;
    this.used.add(id);
    return [{ ...event, call, name, id }];
  }

  private goOn(event: Arguments): ReplyEvent[] {
    const { choice, text } = event;
    const seen = this.calls.get(keyOf(event));
    if (!seen) throw new Error('arguments of a tool call that did not begin');
    if (seen.call === null) return text === '' ? [] : [{ type: 'text', choice, text }];
    if (seen.pending === null) return [{ ...event, call: seen.call }];
    seen.pending += text;
    if (mayBeNothing(seen.pending)) return [];
    const pending = seen.pending;
    seen.pending = null;
    return [{ type: 'arguments', choice, call: seen.call, text: pending }];
  }

  /** Some providers send nothing, blanks or `null` for a call without arguments, where clients expect a JSON object. */
  private complete(choice: number): ReplyEvent[] {
    const out: ReplyEvent[] = [];
    for (const seen of this.calls.values()) {
      if (seen.choice !== choice || seen.call === null || seen.pending === null) continue;
      const text = isNothing(seen.pending) ? '{}' : seen.pending;
      seen.pending = null;
      out.push({ type: 'arguments', choice, call: seen.call, text });
    }
    return out;
  }

  private finish(event: Finish): Finish {
    const called = (this.given[event.choice] ?? 0) > 0;
    if (event.reason === 'stop' && called) return { ...event, reason: 'tool_calls' };
    if (event.reason === 'tool_calls' && !called) return { ...event, reason: 'stop' };
    return event;
  }
}

const keyOf = ({ choice, call }: { choice: number; call: number }): string => `${choice}:${call}`;

/** More blanks than these are written by nobody, and looking at them again with each piece takes long. */
const MAX_BLANKS = 100;
/** `nul` may still become `null`. */
const mayBeNothing = (json: string): boolean => json.length <= MAX_BLANKS && 'null'.startsWith(json.trim());
