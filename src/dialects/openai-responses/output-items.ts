import type { ReplyEvent, UrlCitation } from '../canonical.js';
import { isObject, type JsonObject, listOf, objectOf, textOf } from '../kit/json.js';
import { looseOutput } from '../kit/loose-output.js';

const CHOICE = { choice: 0 } as const;

/** The items of a reply's `output`, told apart by their index: some proxies change an item's id from event to event. */
export class OutputItems {
  private readonly items = new Map<number, OutputItem>();
  private readonly counts: Counts = { calls: 0, blocks: 0 };

  /** Whether any item was seen. */
  get seen(): boolean {
    return this.items.size > 0;
  }

  get hasCalls(): boolean {
    return this.counts.calls > 0;
  }

  begin(index: number, item: JsonObject): ReplyEvent[] {
    return this.open(index, item['type']).begin(item);
  }

  /** What the finished item says beyond what its pieces said. */
  finish(index: number, item: JsonObject): ReplyEvent[] {
    return this.open(index, item['type']).finish(item);
  }

  message(index: number): MessageItem | null {
    const item = this.open(index, 'message');
    return item instanceof MessageItem ? item : null;
  }

  reasoning(index: number): ReasoningItem | null {
    const item = this.open(index, 'reasoning');
    return item instanceof ReasoningItem ? item : null;
  }

  call(index: number): CallItem | null {
    const item = this.open(index, 'function_call');
    return item instanceof CallItem ? item : null;
  }

  /** A piece of an item of another kind. */
  other(index: number, piece: unknown): ReplyEvent[] {
    const item = this.open(index, OTHER);
    return item instanceof OtherItem ? item.piece(piece) : looseEvents(piece);
  }

  private open(index: number, type: unknown): OutputItem {
    const known = this.items.get(index);
    if (known) return known;
    const item = newItem(type, this.counts);
    this.items.set(index, item);
    return item;
  }
}

/** Output of tools that the provider runs itself, and of kinds to come. */
export function looseEvents(said: unknown): ReplyEvent[] {
  const { bytes, images } = looseOutput(said);
  return bytes + images === 0 ? [] : [{ type: 'other', ...CHOICE, bytes, images }];
}

/** How many there were so far. */
interface Counts {
  calls: number;
  blocks: number;
}

interface OutputItem {
  begin(item: JsonObject): ReplyEvent[];
  finish(item: JsonObject): ReplyEvent[];
}

const OTHER = 'other';

function newItem(type: unknown, counts: Counts): OutputItem {
  switch (type) {
    case 'message':
      return new MessageItem();
    case 'reasoning':
      return new ReasoningItem(counts);
    case 'function_call':
      return new CallItem(counts, 'arguments');
    case 'custom_tool_call':
      return new CallItem(counts, 'input');
    case 'image_generation_call':
      return new ImageItem();
    default:
      return new OtherItem();
  }
}

/** What the model reads, and did not write: what a tool found, and which tools there are. */
const READ = new Set(['results', 'outputs', 'output', 'tools', 'sources']);
const RUN_BY_PROVIDER = /_call$|^mcp_/;

/** An item of a tool that the provider runs, or of a kind to come: only its size matters. */
class OtherItem implements OutputItem {
  private counted = { bytes: 0, images: 0 };

  begin(): ReplyEvent[] {
    return [];
  }

  piece(said: unknown): ReplyEvent[] {
    const { bytes, images } = looseOutput(said);
    this.counted = { bytes: this.counted.bytes + bytes, images: this.counted.images + images };
    return looseEvents(said);
  }

  /** What its pieces did not have. */
  finish(item: JsonObject): ReplyEvent[] {
    const isRun = RUN_BY_PROVIDER.test(textOf(item['type']) ?? '');
    const written = Object.entries(item).filter(([name]) => !(isRun && READ.has(name)));
    const { bytes, images } = looseOutput(Object.fromEntries(written));
    const rest = { bytes: Math.max(0, bytes - this.counted.bytes), images: Math.max(0, images - this.counted.images) };
    return rest.bytes + rest.images === 0 ? [] : [{ type: 'other', ...CHOICE, ...rest }];
  }
}

/** What is still to be given out of a text of which a part was. */
const restOf = (whole: string, given: string): string => (whole.startsWith(given) ? whole.slice(given.length) : '');

interface SeenPart {
  text: string;
  annotations: number;
  logprobs: boolean;
}

class MessageItem implements OutputItem {
  private phase: string | null = null;
  private readonly parts = new Map<number, SeenPart>();

  begin(item: JsonObject): ReplyEvent[] {
    this.phase = textOf(item['phase']) ?? this.phase;
    return [];
  }

  finish(item: JsonObject): ReplyEvent[] {
    this.begin(item);
    return listOf(item['content']).flatMap((part, index) => this.finishPart(index, objectOf(part)));
  }

  text(index: number, piece: string): ReplyEvent[] {
    if (piece === '') return [];
    this.part(index).text += piece;
    return [{ type: 'text', ...CHOICE, text: piece, ...(this.phase !== null && { phase: this.phase }) }];
  }

  textIs(index: number, whole: string): ReplyEvent[] {
    return this.text(index, restOf(whole, this.part(index).text));
  }

  refusal(index: number, piece: string): ReplyEvent[] {
    if (piece === '') return [];
    this.part(index).text += piece;
    return [{ type: 'refusal', ...CHOICE, text: piece }];
  }

  refusalIs(index: number, whole: string): ReplyEvent[] {
    return this.refusal(index, restOf(whole, this.part(index).text));
  }

  logprobs(index: number, content: unknown): ReplyEvent[] {
    if (!Array.isArray(content) || content.length === 0) return [];
    this.part(index).logprobs = true;
    return [{ type: 'logprobs', ...CHOICE, content }];
  }

  annotation(index: number, annotation: unknown): ReplyEvent[] {
    this.part(index).annotations++;
    const citation = citationOf(annotation);
    return citation ? [{ type: 'annotation', ...CHOICE, annotation: citation }] : [];
  }

  private finishPart(index: number, part: JsonObject): ReplyEvent[] {
    if (part['type'] === 'refusal') return this.refusalIs(index, textOf(part['refusal']) ?? '');
    if (part['type'] !== 'output_text') return looseEvents(part);
    const seen = this.part(index);
    const annotations = Array.isArray(part['annotations']) ? part['annotations'].slice(seen.annotations) : [];
    return [
      ...this.textIs(index, textOf(part['text']) ?? ''),
      ...(seen.logprobs ? [] : this.logprobs(index, part['logprobs'])),
      ...annotations.flatMap((annotation) => this.annotation(index, annotation)),
    ];
  }

  private part(index: number): SeenPart {
    let part = this.parts.get(index);
    if (!part) {
      part = { text: '', annotations: 0, logprobs: false };
      this.parts.set(index, part);
    }
    return part;
  }
}

const whole = (value: unknown): number | null => (Number.isInteger(value) ? (value as number) : null);

function citationOf(annotation: unknown): UrlCitation | null {
  if (!isObject(annotation) || annotation['type'] !== 'url_citation' || typeof annotation['url'] !== 'string') return null;
  return {
    url: annotation['url'],
    title: textOf(annotation['title']),
    start: whole(annotation['start_index']),
    end: whole(annotation['end_index']),
  };
}

const BETWEEN_PARTS = '\n\n';

class ReasoningItem implements OutputItem {
  private readonly block: number;
  /** A summary and the reasoning itself say the same twice: what comes first counts. */
  private kind: 'summary' | 'content' | null = null;
  private readonly parts = new Map<number, string>();

  constructor(counts: Counts) {
    this.block = counts.blocks++;
  }

  begin(): ReplyEvent[] {
    return [];
  }

  finish(item: JsonObject): ReplyEvent[] {
    const events = (['summary', 'content'] as const).flatMap((kind) =>
      listOf(item[kind]).flatMap((part, index) => this.textIs(kind, index, textOf(objectOf(part)['text']) ?? '')),
    );
    // The item's beginning carries another one, which is not the last.
    const signature = textOf(item['encrypted_content']);
    if (signature === null || signature === '') return events;
    const { block } = this;
    return [...events, { type: 'reasoning_state', ...CHOICE, block, origin: 'openai', signature, redacted: null, id: textOf(item['id']) }];
  }

  text(kind: 'summary' | 'content', index: number, piece: string): ReplyEvent[] {
    if (piece === '' || (this.kind ?? kind) !== kind) return [];
    this.kind = kind;
    const given = this.parts.get(index);
    this.parts.set(index, (given ?? '') + piece);
    const text = given === undefined && this.parts.size > 1 ? BETWEEN_PARTS + piece : piece;
    return [{ type: 'reasoning', ...CHOICE, block: this.block, text }];
  }

  textIs(kind: 'summary' | 'content', index: number, whole: string): ReplyEvent[] {
    return this.text(kind, index, restOf(whole, this.parts.get(index) ?? ''));
  }
}

class CallItem implements OutputItem {
  private call: number | null = null;
  private text = '';
  private waiting = '';

  constructor(
    private readonly counts: Counts,
    private readonly field: 'arguments' | 'input',
  ) {}

  begin(item: JsonObject): ReplyEvent[] {
    const name = textOf(item['name']);
    if (this.call !== null || name === null || name === '') return this.giveText();
    this.call = this.counts.calls++;
    // `call_id`, not the item's own id, is what the result is matched by.
    return [{ type: 'tool_call', ...CHOICE, call: this.call, id: textOf(item['call_id']), name }, ...this.giveText()];
  }

  finish(item: JsonObject): ReplyEvent[] {
    return [...this.begin(item), ...this.argumentsAre(textOf(item[this.field]) ?? '')];
  }

  arguments(piece: string): ReplyEvent[] {
    this.text += piece;
    this.waiting += piece;
    return this.giveText();
  }

  argumentsAre(whole: string): ReplyEvent[] {
    return this.arguments(restOf(whole, this.text));
  }

  /** Arguments that come before the call's name wait for it. */
  private giveText(): ReplyEvent[] {
    const text = this.waiting;
    if (this.call === null || text === '') return [];
    this.waiting = '';
    return [{ type: 'arguments', ...CHOICE, call: this.call, text }];
  }
}

class ImageItem implements OutputItem {
  begin(): ReplyEvent[] {
    return [];
  }

  finish(item: JsonObject): ReplyEvent[] {
    const data = textOf(item['result']);
    return data === null ? [] : [{ type: 'image', ...CHOICE, mediaType: `image/${textOf(item['output_format']) ?? 'png'}`, data }];
  }
}
