import type { ReplyEvent, UrlCitation } from '../canonical.js';
import type { JsonObject } from '../kit/json.js';
import type { SealedState } from '../kit/sealed-state.js';
import { customInput } from './custom-tools.js';
import { encryptedContent } from './state.js';

/** Takes the events that a stream has while its output grows; `type` without `response.`. */
export type Emit = (type: string, fields: JsonObject) => void;

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

type Reasoning = Extract<ReplyEvent, { type: 'reasoning' | 'reasoning_state' }>;
type ToolCall = Extract<ReplyEvent, { type: 'tool_call' }>;

/** One item of a response's `output` while it is written. */
interface Item {
  readonly wire: JsonObject;
  close(status: ItemStatus): void;
}

/** The output of a response as it grows, item by item. Made of the same events whether it is streamed or not. */
export class Output {
  private readonly items: Item[] = [];
  private closed = 0;
  private readonly calls = new Map<number, CallItem>();
  private readonly blocks = new Map<number, ReasoningItem>();

  /** @param idBase unique for the reply; letters and digits. @param customTools names of the tools that take free text. */
  constructor(
    private readonly idBase: string,
    private readonly customTools: ReadonlySet<unknown>,
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
      case 'finish':
        return;
    }
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
    const custom = this.customTools.has(name);
    const make = (index: number) => new CallItem(this.emit, this.idOf(custom ? 'ctc' : 'fc', index), index, id ?? '', name, custom);
    this.calls.set(call, this.open(make));
  }

  private addImage(mediaType: string, data: string): void {
    this.open((index) => new ImageItem(this.emit, this.idOf('ig', index), index, mediaType, data));
  }

  /** Clients keep items in the order in which they end, and the arguments of parallel calls may interleave: behind a call all stay open. */
  private open<Kind extends Item>(make: (index: number) => Kind): Kind {
    for (; this.closed < this.items.length && !(this.items[this.closed] instanceof CallItem); this.closed++) {
      this.items[this.closed]!.close('completed');
    }
    const item = make(this.items.length);
    this.items.push(item);
    return item;
  }

  private idOf(kind: string, index: number): string {
    return `${kind}_${this.idBase}i${index}`;
  }
}

type Content = { type: 'output_text'; text: string; annotations: unknown[]; logprobs: unknown[] } | { type: 'refusal'; refusal: string };

class MessageItem implements Item {
  private readonly content: Content[] = [];
  private status: ItemStatus = 'in_progress';

  constructor(
    private readonly emit: Emit,
    private readonly id: string,
    private readonly index: number,
    readonly phase: string | undefined,
  ) {
    emit('output_item.added', { output_index: index, item: this.wire });
  }

  get wire(): JsonObject {
    const { id, status, phase } = this;
    return {
      type: 'message',
      id,
      status,
      role: 'assistant',
      content: structuredClone(this.content),
      ...(phase !== undefined && { phase }),
    };
  }

  text(delta: string): void {
    if (delta === '') return;
    const part = this.partOf('output_text', () => ({ type: 'output_text', text: '', annotations: [], logprobs: [] }));
    part.text += delta;
    this.emit('output_text.delta', { ...this.place, delta, logprobs: [] });
  }

  refusal(delta: string): void {
    if (delta === '') return;
    const part = this.partOf('refusal', () => ({ type: 'refusal', refusal: '' }));
    part.refusal += delta;
    this.emit('refusal.delta', { ...this.place, delta });
  }

  annotation({ url, title, start, end }: UrlCitation): void {
    const part = this.content.at(-1);
    if (part?.type !== 'output_text') return;
    const annotation = { type: 'url_citation', url, title: title ?? '', start_index: start ?? 0, end_index: end ?? part.text.length };
    part.annotations.push(annotation);
    this.emit('output_text.annotation.added', { ...this.place, annotation_index: part.annotations.length - 1, annotation });
  }

  logprobs(content: unknown[]): void {
    const part = this.content.at(-1);
    if (part?.type === 'output_text') part.logprobs.push(...content);
  }

  close(status: ItemStatus): void {
    this.closePart();
    this.status = status;
    this.emit('output_item.done', { output_index: this.index, item: this.wire });
  }

  private partOf<Type extends Content['type']>(type: Type, make: () => Extract<Content, { type: Type }>): Extract<Content, { type: Type }> {
    const last = this.content.at(-1);
    if (last?.type === type) return last as Extract<Content, { type: Type }>;
    this.closePart();
    const part = make();
    this.content.push(part);
    this.emit('content_part.added', { ...this.place, part: structuredClone(part) });
    return part;
  }

  private closePart(): void {
    const part = this.content.at(-1);
    if (!part) return;
    if (part.type === 'refusal') this.emit('refusal.done', { ...this.place, refusal: part.refusal });
    else this.emit('output_text.done', { ...this.place, text: part.text, logprobs: part.logprobs });
    this.emit('content_part.done', { ...this.place, part: structuredClone(part) });
  }

  private get place(): JsonObject {
    return { item_id: this.id, output_index: this.index, content_index: this.content.length - 1 };
  }
}

class ReasoningItem implements Item {
  state: SealedState | null = null;
  closed = false;
  private summary = '';

  constructor(
    private readonly emit: Emit,
    private readonly id: string,
    private readonly index: number,
  ) {
    emit('output_item.added', { output_index: index, item: this.wire });
  }

  get wire(): JsonObject {
    const encrypted = this.state && encryptedContent(this.state);
    return {
      type: 'reasoning',
      id: this.id,
      summary: this.summary === '' ? [] : [this.part],
      ...(encrypted !== null && { encrypted_content: encrypted }),
    };
  }

  text(delta: string): void {
    if (delta === '') return;
    if (this.summary === '') this.emit('reasoning_summary_part.added', { ...this.place, part: this.part });
    this.summary += delta;
    this.emit('reasoning_summary_text.delta', { ...this.place, delta });
  }

  close(): void {
    this.closed = true;
    if (this.summary !== '') {
      this.emit('reasoning_summary_text.done', { ...this.place, text: this.summary });
      this.emit('reasoning_summary_part.done', { ...this.place, part: this.part });
    }
    this.emit('output_item.done', { output_index: this.index, item: this.wire });
  }

  private get part(): JsonObject {
    return { type: 'summary_text', text: this.summary };
  }

  private get place(): JsonObject {
    return { item_id: this.id, output_index: this.index, summary_index: 0 };
  }
}

class CallItem implements Item {
  private args = '';
  private status: ItemStatus = 'in_progress';

  constructor(
    private readonly emit: Emit,
    private readonly id: string,
    private readonly index: number,
    private readonly callId: string,
    private readonly name: string,
    private readonly custom: boolean,
  ) {
    emit('output_item.added', { output_index: index, item: this.wire });
  }

  get wire(): JsonObject {
    const { id, status, callId: call_id, name } = this;
    if (this.custom) return { type: 'custom_tool_call', id, status, call_id, name, input: this.input };
    return { type: 'function_call', id, status, call_id, name, arguments: this.args };
  }

  arguments(delta: string): void {
    this.args += delta;
    // The free text of a custom tool is known once its JSON has ended.
    if (!this.custom) this.emit('function_call_arguments.delta', { ...this.place, delta });
  }

  close(status: ItemStatus): void {
    this.status = status;
    if (this.custom) {
      this.emit('custom_tool_call_input.delta', { ...this.place, delta: this.input });
      this.emit('custom_tool_call_input.done', { ...this.place, input: this.input });
    } else this.emit('function_call_arguments.done', { ...this.place, name: this.name, arguments: this.args });
    this.emit('output_item.done', { output_index: this.index, item: this.wire });
  }

  private get input(): string {
    return this.status === 'in_progress' ? '' : customInput(this.args);
  }

  private get place(): JsonObject {
    return { item_id: this.id, output_index: this.index };
  }
}

class ImageItem implements Item {
  private status: ItemStatus = 'in_progress';

  constructor(
    private readonly emit: Emit,
    private readonly id: string,
    private readonly index: number,
    private readonly mediaType: string,
    private readonly data: string,
  ) {
    emit('output_item.added', { output_index: index, item: this.wire });
  }

  get wire(): JsonObject {
    const { id, status, data } = this;
    const result = status === 'in_progress' ? null : data;
    return { type: 'image_generation_call', id, status, result, output_format: this.mediaType.replace(/^image\//, '') };
  }

  close(): void {
    this.status = 'completed';
    this.emit('output_item.done', { output_index: this.index, item: this.wire });
  }
}
