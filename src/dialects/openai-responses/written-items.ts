import type { UrlCitation } from '../canonical.js';
import { isObject, type JsonObject, parsed } from '../kit/json.js';
import type { SealedState } from '../kit/sealed-state.js';
import { CALL_FORMS } from './client-calls.js';
import type { ClientTool } from './client-tools.js';
import { encryptedContent } from './state.js';

/** Takes the events that a stream has while its output grows; `type` without `response.`. */
export type Emit = (type: string, fields: JsonObject) => void;

type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

/** One item of a response's `output` while it is written. */
export interface Item {
  readonly wire: JsonObject;
  /** Nothing can follow in it, once another item begins. */
  readonly isWhole: boolean;
  close(status: ItemStatus): void;
}

type Content = { type: 'output_text'; text: string; annotations: unknown[]; logprobs: unknown[] } | { type: 'refusal'; refusal: string };

export class MessageItem implements Item {
  readonly isWhole = true;
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

export class ReasoningItem implements Item {
  readonly isWhole = true;
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

export class CallItem implements Item {
  private args = '';
  private status: ItemStatus = 'in_progress';

  constructor(
    private readonly emit: Emit,
    private readonly id: string,
    private readonly index: number,
    private readonly callId: string,
    private readonly tool: ClientTool,
  ) {
    emit('output_item.added', { output_index: index, item: this.wire });
  }

  get wire(): JsonObject {
    const { id, status, callId: call_id } = this;
    const { kind, name, namespace } = this.tool;
    const named = kind === 'function' || kind === 'custom';
    return {
      type: CALL_FORMS[kind].call,
      id,
      status,
      call_id,
      ...(named && { name, ...(namespace !== null && { namespace }) }),
      ...this.said,
    };
  }

  /** After a whole object no argument can follow. */
  get isWhole(): boolean {
    return isObject(parsed(this.args));
  }

  arguments(delta: string): void {
    if (this.status !== 'in_progress') return;
    this.args += delta;
    // What other kinds say is known once the JSON has ended.
    if (this.tool.kind === 'function') this.emit('function_call_arguments.delta', { ...this.place, delta });
  }

  close(status: ItemStatus): void {
    this.status = status;
    switch (this.tool.kind) {
      case 'function':
        this.emit('function_call_arguments.done', { ...this.place, name: this.tool.name, ...this.said });
        break;
      case 'custom':
        this.emit('custom_tool_call_input.delta', { ...this.place, delta: this.said['input'] });
        this.emit('custom_tool_call_input.done', { ...this.place, ...this.said });
        break;
      case 'tool_search':
      case 'local_shell':
      case 'shell':
      case 'apply_patch': // Their items are whole when they end.
    }
    this.emit('output_item.done', { output_index: this.index, item: this.wire });
  }

  private get said(): JsonObject {
    const { write } = CALL_FORMS[this.tool.kind];
    if (this.status === 'in_progress' && this.tool.kind === 'custom') return { input: '' };
    return write(this.args);
  }

  private get place(): JsonObject {
    return { item_id: this.id, output_index: this.index };
  }
}

export class ImageItem implements Item {
  readonly isWhole = true;
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
