import type { ReplyEvent } from '../canonical.js';
import type { JsonObject } from '../kit/json.js';
import type { CallKind } from './client-calls.js';
import type { ClientTools } from './client-tools.js';
import { CallItem, type Emit, ImageItem, type Item, MessageItem, ReasoningItem } from './written-items.js';

type Reasoning = Extract<ReplyEvent, { type: 'reasoning' | 'reasoning_state' }>;
type ToolCall = Extract<ReplyEvent, { type: 'tool_call' }>;

/** What the ids of items begin with. */
const ID_STARTS: Readonly<Record<CallKind, string>> = {
  function: 'fc',
  custom: 'ctc',
  tool_search: 'tsc',
  local_shell: 'lsh',
  shell: 'sh',
  apply_patch: 'apc',
};

/** The output of a response as it grows, item by item. Made of the same events whether it is streamed or not. */
export class Output {
  private readonly items: Item[] = [];
  private closed = 0;
  private readonly calls = new Map<number, CallItem>();
  private readonly blocks = new Map<number, ReasoningItem>();

  /** @param idBase unique for the reply; letters and digits. @param tools of the request. */
  constructor(
    private readonly idBase: string,
    private readonly tools: ClientTools,
    private readonly emit: Emit,
  ) {}

  get wire(): JsonObject[] {
    return this.items.map((item) => item.wire);
  }

  add(event: ReplyEvent): void {
    switch (event.type) {
      case 'text':
        return this.message(event.phase).text(event.text);
      case 'refusal':
        return this.message(this.openMessage?.phase).refusal(event.text);
      case 'reasoning':
        return this.block(event).text(event.text);
      case 'reasoning_state':
        this.block(event).state = { origin: event.origin, signature: event.signature, redacted: event.redacted, id: event.id, call: false };
        return;
      case 'tool_call':
        return this.addCall(event);
      case 'arguments':
        return this.calls.get(event.call)?.arguments(event.text);
      case 'annotation':
        return this.openMessage?.annotation(event.annotation);
      case 'logprobs':
        return this.openMessage?.logprobs(event.content);
      case 'image':
        return this.addImage(event.mediaType, event.data);
      case 'start':
      case 'usage':
      case 'other':
      case 'finish':
        return;
    }
    event satisfies never;
  }

  /** Ends what is still open. @param cut the answer was cut off. */
  close(cut: boolean): void {
    const last = this.items.length - 1;
    for (; this.closed <= last; this.closed++) this.items[this.closed]!.close(cut && this.closed === last ? 'incomplete' : 'completed');
  }

  private get openMessage(): MessageItem | null {
    const last = this.items.at(-1);
    return last instanceof MessageItem ? last : null;
  }

  private message(phase: string | undefined): MessageItem {
    const open = this.openMessage;
    if (open && open.phase === phase) return open;
    return this.open((index) => new MessageItem(this.emit, this.idOf('msg', index), index, phase));
  }

  private block({ block }: Reasoning): ReasoningItem {
    const known = this.blocks.get(block);
    if (known && !known.closed) return known;
    const item = this.open((index) => new ReasoningItem(this.emit, this.idOf('rs', index), index));
    this.blocks.set(block, item);
    return item;
  }

  private addCall({ call, id, name, signature }: ToolCall): void {
    if (signature !== undefined) {
      const state = this.open((index) => new ReasoningItem(this.emit, this.idOf('rs', index), index));
      state.state = { origin: 'gemini', signature, redacted: null, id: null, call: true };
    }
    const tool = this.tools.called(name);
    const make = (index: number) => new CallItem(this.emit, this.idOf(ID_STARTS[tool.kind], index), index, id ?? '', tool);
    this.calls.set(call, this.open(make));
  }

  private addImage(mediaType: string, data: string): void {
    this.open((index) => new ImageItem(this.emit, this.idOf('ig', index), index, mediaType, data));
  }

  /**
   * What is before a new item has ended. Clients keep items in the order in which they end, and the arguments of parallel calls may interleave: a
   * call whose arguments are not whole stays open, and all behind it.
   */
  private open<Kind extends Item>(make: (index: number) => Kind): Kind {
    for (; this.closed < this.items.length && this.items[this.closed]!.isWhole; this.closed++) this.items[this.closed]!.close('completed');
    const item = make(this.items.length);
    this.items.push(item);
    return item;
  }

  private idOf(kind: string, index: number): string {
    return `${kind}_${this.idBase}i${index}`;
  }
}
