import type { ReplyEvent } from '../../canonical.js';
import { isObject, type JsonObject, objectOf, readJson, textOf, writeJson } from '../../kit/json.js';

interface Call {
  id: string | null;
  name: string;
  /** As the answer's calls are counted; null while its name is not known. */
  call: number | null;
  /** All of them so far. */
  arguments: string;
  signature: string | null;
}

/**
 * Puts the pieces of tool calls together. What providers do with `index`, `id` and `name` differs: an index may begin at one, be absent, or be
 * used again for the next call; ids and names may come once, in every piece, empty, or late.
 */
export class ToolCallDecoder {
  private readonly calls: Call[] = [];
  private readonly byIndex = new Map<number, Call>();
  /** Signatures that came before their calls, by id. */
  private readonly signatures = new Map<string, string>();
  private given = 0;
  /** The number of the call that the last piece belongs to; null while its name is not known. */
  lastRead: number | null = null;

  constructor(private readonly choice: number) {}

  /** @param whole each item is a call of its own. */
  read(item: JsonObject, whole: boolean): ReplyEvent[] {
    const called = objectOf(item['function']);
    const id = textOf(item['id']) || null;
    const name = textOf(called['name']) || null;
    const call = whole ? this.begin(null) : this.find(item['index'], id, name);
    call.id ??= id;
    call.name ||= name ?? '';
    call.signature ??= textOf(objectOf(objectOf(item['extra_content'])['google'])['thought_signature']) || null;
    const events = this.give(call, argumentsOf(called['arguments']));
    this.lastRead = call.call;
    return events;
  }

  /** The numbers of calls that have no arguments so far, not even none. */
  withoutArguments(): number[] {
    return this.calls.flatMap(({ call, arguments: text }) => (call !== null && text.trim() === '' ? [call] : []));
  }

  /** Keeps a signature for a call that has not begun. False: it came too late, or is for none. */
  sign(id: string | null, signature: string): boolean {
    if (id === null || this.calls.some((call) => call.id === id && call.call !== null)) return false;
    this.signatures.set(id, signature);
    return true;
  }

  /** Signatures that no call claimed, with their ids. @throws when a call never got its name. */
  end(): [id: string, signature: string][] {
    if (this.calls.some((call) => call.call === null && call.arguments !== '')) throw new Error('a tool call without a name');
    return [...this.signatures].filter(([id]) => !this.calls.some((call) => call.id === id));
  }

  private find(index: unknown, id: string | null, name: string | null): Call {
    const indexed = typeof index === 'number';
    const call = indexed ? this.byIndex.get(index) : id === null ? this.calls.at(-1) : this.calls.find((known) => known.id === id);
    if (call && !isNext(call, id, name)) return call;
    return this.begin(indexed ? index : null);
  }

  private begin(index: number | null): Call {
    const call: Call = { id: null, name: '', call: null, arguments: '', signature: null };
    this.calls.push(call);
    if (index !== null) this.byIndex.set(index, call);
    return call;
  }

  private give(call: Call, text: string): ReplyEvent[] {
    const { choice } = this;
    const events: ReplyEvent[] = [];
    call.arguments += text;
    let fresh = text;
    if (call.call === null) {
      if (call.name === '') return [];
      call.call = this.given++;
      const signature = call.signature ?? this.signatures.get(call.id ?? '');
      events.push({ type: 'tool_call', choice, call: call.call, id: call.id, name: call.name, ...(signature && { signature }) });
      fresh = call.arguments;
    }
    if (fresh !== '') events.push({ type: 'arguments', choice, call: call.call, text: fresh });
    return events;
  }
}

/** Whether a piece with a name begins another call instead of this one. */
function isNext(call: Call, id: string | null, name: string | null): boolean {
  if (name === null || call.name === '') return false;
  if (id !== null && call.id !== null) return id !== call.id;
  // Without ids: whoever has said all there is to say cannot go on.
  return isWholeObject(call.arguments);
}

function isWholeObject(json: string): boolean {
  if (!json.trimEnd().endsWith('}')) return false;
  try {
    return isObject(readJson(json));
  } catch {
    return false;
  }
}

/** A piece of JSON text; some send the object. */
export function argumentsOf(given: unknown): string {
  return isObject(given) ? writeJson(given) : (textOf(given) ?? '');
}
