import type { ReplyEvent, UrlCitation } from '../../canonical.js';
import { isObject, type JsonObject, listOf, objectOf, textOf } from '../../kit/json.js';
import { looseOutput } from '../../kit/loose-output.js';
import { readDetail } from '../reasoning-details.js';
import { finishReason } from './finish-reason.js';
import { ToolCallDecoder } from './tool-calls.js';

/** Reads what the chunks say of one answer. */
export class ChoiceDecoder {
  /** The provider's word for the end; null while there is none. */
  finish: string | null = null;

  private native: string | null = null;
  private readonly calls: ToolCallDecoder;
  /** Blocks of reasoning by what tells them apart. */
  private readonly blocks = new Map<string, number>();
  /** The last block of plain text. */
  private plain: PlainBlock | null = null;
  private nextBlock = 0;

  constructor(readonly index: number) {
    this.calls = new ToolCallDecoder(index);
  }

  /** @param kind where it stands: in a stream or in a whole answer. */
  read(fields: JsonObject, kind: 'delta' | 'message'): ReplyEvent[] {
    const said = objectOf(fields[kind] ?? fields['delta'] ?? fields['message']);
    const events = [
      ...this.reasoning(said),
      ...this.content(said['content']),
      // Where legacy completions have their text.
      ...this.content(fields['text']),
      ...this.refusal(said['refusal']),
      ...this.toolCalls(said, kind),
      ...this.annotations(said),
      ...this.images(said),
      ...this.other(said),
      ...this.logprobs(fields),
    ];
    // An empty one, or a later chunk without any, takes nothing back.
    this.finish = textOf(fields['finish_reason']) || this.finish;
    this.native = textOf(fields['native_finish_reason']) || this.native;
    return events;
  }

  end(): ReplyEvent[] {
    const native = this.native ?? this.finish;
    const unclaimed = this.calls.end().map(([id, signature]) => this.state(id, { origin: 'gemini', signature, redacted: null, id }));
    return [...unclaimed, { type: 'finish', choice: this.index, reason: finishReason(this.finish), native }];
  }

  /** A text, or Mistral's list of texts and thinking. */
  private content(content: unknown): ReplyEvent[] {
    if (typeof content === 'string') return this.text(content);
    return listOf(content)
      .filter(isObject)
      .flatMap((part) => {
        if (part['type'] === 'thinking') return this.plainReasoning(thinkingText(part['thinking']));
        if (part['type'] === 'image_url') return this.images({ images: [part] });
        return this.text(textOf(part['text']) ?? '');
      });
  }

  private text(text: string): ReplyEvent[] {
    if (text === '') return [];
    this.closePlain();
    return [{ type: 'text', choice: this.index, text }];
  }

  private refusal(refusal: unknown): ReplyEvent[] {
    return typeof refusal === 'string' && refusal !== '' ? [{ type: 'refusal', choice: this.index, text: refusal }] : [];
  }

  /** OpenRouter says the same twice: as plain text, and in pieces with their state. */
  private reasoning(said: JsonObject): ReplyEvent[] {
    const details = listOf(said['reasoning_details'])
      .map(readDetail)
      .filter((detail) => detail !== null);
    const events = details.flatMap(({ key, part }) => this.detail(key, part));
    if (!events.some(({ type }) => type === 'reasoning')) {
      const text = textOf(said['reasoning_content']) || textOf(said['reasoning']) || '';
      events.unshift(...this.plainReasoning(text));
    }
    const signature = textOf(objectOf(objectOf(said['extra_content'])['google'])['thought_signature']);
    if (signature) events.push(this.state('signature', { origin: 'gemini', signature, redacted: null, id: null }));
    return events;
  }

  private detail(key: string, part: NonNullable<ReturnType<typeof readDetail>>['part']): ReplyEvent[] {
    const events: ReplyEvent[] = [];
    if (!this.repeats(key, part.text) && part.text !== '')
      events.push({ type: 'reasoning', choice: this.index, block: this.block(key), text: part.text });
    const { origin, signature, redacted, id } = part;
    if (origin !== null && !(origin === 'gemini' && signature !== null && this.calls.sign(id, signature)))
      events.push(this.state(key, { origin, signature, redacted, id }));
    return events;
  }

  /**
   * Some stream the text plain, and repeat it with its state once it is whole. Where it is of several blocks, the first keeps the text of all:
   * where one ends and the next begins was not told in time.
   */
  private repeats(key: string, text: string): boolean {
    const { plain } = this;
    if (text === '' || !plain?.unrepeated.startsWith(text)) return false;
    if (!plain.repeated) this.blocks.set(key, plain.block);
    plain.repeated = true;
    plain.unrepeated = plain.unrepeated.slice(text.length);
    this.closePlain();
    return true;
  }

  private state(key: string, state: Omit<Extract<ReplyEvent, { type: 'reasoning_state' }>, 'type' | 'choice' | 'block'>): ReplyEvent {
    return { type: 'reasoning_state', choice: this.index, block: this.block(key), ...state };
  }

  private block(key: string): number {
    let block = this.blocks.get(key);
    if (block === undefined) {
      block = this.nextBlock++;
      this.blocks.set(key, block);
    }
    return block;
  }

  /** What comes after text or a call is a block of its own. */
  private plainReasoning(text: string): ReplyEvent[] {
    if (text === '') return [];
    if (!this.plain?.open) this.plain = { block: this.nextBlock++, open: true, repeated: false, unrepeated: '' };
    this.plain.unrepeated += text;
    return [{ type: 'reasoning', choice: this.index, block: this.plain.block, text }];
  }

  private closePlain(): void {
    if (this.plain) this.plain.open = false;
  }

  private toolCalls(said: JsonObject, kind: 'delta' | 'message'): ReplyEvent[] {
    const items = listOf(said['tool_calls']).filter(isObject);
    // The form of the time before tools.
    if (isObject(said['function_call'])) items.push({ id: null, function: said['function_call'] });
    if (items.length > 0) this.closePlain();
    return items.flatMap((item) => this.calls.read(item, kind === 'message'));
  }

  private annotations(said: JsonObject): ReplyEvent[] {
    return listOf(said['annotations'])
      .map(readCitation)
      .filter((annotation) => annotation !== null)
      .map((annotation) => ({ type: 'annotation', choice: this.index, annotation }));
  }

  private images(said: JsonObject): ReplyEvent[] {
    return listOf(said['images']).flatMap((image): ReplyEvent[] => {
      const data = /^data:([^;,]+);base64,/.exec(textOf(objectOf(objectOf(image)['image_url'])['url']) ?? '');
      if (!data) return [];
      return [{ type: 'image', choice: this.index, mediaType: data[1]!, data: data.input.slice(data[0].length) }];
    });
  }

  /** Sound, and kinds to come. */
  private other(said: JsonObject): ReplyEvent[] {
    const unknown = Object.fromEntries(Object.entries(said).filter(([name]) => !READ.has(name)));
    const { bytes, images } = looseOutput(unknown);
    return bytes + images === 0 ? [] : [{ type: 'other', choice: this.index, bytes, images }];
  }

  private logprobs(fields: JsonObject): ReplyEvent[] {
    const content = listOf(objectOf(fields['logprobs'])['content']);
    return content.length > 0 ? [{ type: 'logprobs', choice: this.index, content }] : [];
  }
}

/** Fields of a message that are read, and one that repeats its name. */
const READ = new Set(
  `role name content refusal reasoning reasoning_content reasoning_details tool_calls function_call annotations images extra_content`.split(
    ' ',
  ),
);

interface PlainBlock {
  block: number;
  /** Nothing but reasoning came since. */
  open: boolean;
  /** Some of it was said again, with its state. */
  repeated: boolean;
  unrepeated: string;
}

const thinkingText = (thinking: unknown): string =>
  typeof thinking === 'string'
    ? thinking
    : listOf(thinking)
        .map((piece) => textOf(objectOf(piece)['text']) ?? '')
        .join('');

function readCitation(annotation: unknown): UrlCitation | null {
  if (objectOf(annotation)['type'] !== 'url_citation') return null;
  const citation = objectOf(objectOf(annotation)['url_citation']);
  const url = textOf(citation['url']);
  const place = (value: unknown) => (Number.isSafeInteger(value) ? (value as number) : null);
  if (!url) return null;
  return { url, title: textOf(citation['title']), start: place(citation['start_index']), end: place(citation['end_index']) };
}
