import type { FinishReason, ReplyEvent, UrlCitation } from '../canonical.js';
import { type Frame, NoAnswer, ProviderRefusal, type StreamDecoder } from '../dialect.js';
import { isObject, type JsonObject, listOf, objectOf, readJson, textOf, writeJson } from '../kit/json.js';
import { looseOutput } from '../kit/loose-output.js';
import { table } from '../kit/table.js';
import { refusalIn } from './errors.js';
import { mergeUsage, readUsage } from './usage.js';

const FINISHES = table<FinishReason>({
  end_turn: 'stop',
  stop_sequence: 'stop',
  // The provider's own tools want another turn, or the conversation was made shorter: both end this answer.
  pause_turn: 'stop',
  compaction: 'stop',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  refusal: 'content_filter',
});

/** Why an answer ended, by Anthropic's word. */
export const finishOf = (stopReason: string | null): FinishReason => FINISHES[stopReason ?? ''] ?? 'stop';

/** Reads a whole message as the events that a stream of it would have. */
export function decodeAnswer(body: Buffer): ReplyEvent[] {
  const message: unknown = readJson(body.toString());
  const refusal = refusalIn(message);
  if (refusal) throw new ProviderRefusal(refusal);
  if (!isObject(message) || !Array.isArray(message['content'])) {
    const { usage } = objectOf(message);
    throw new NoAnswer('the reply is no message', isObject(usage) ? readUsage(mergeUsage(null, usage)) : null, usage);
  }
  const reader = new MessageReader();
  return [...reader.begin(message, true), ...reader.close()];
}

/** A block of content that is not over. Blocks of unknown kinds are passed over. */
type Block =
  | { kind: 'text' }
  | { kind: 'thinking'; block: number }
  | { kind: 'tool'; call: number; input: unknown; begun: boolean }
  | { kind: 'other' };

/** Reads one message, whole or event by event. */
export class MessageReader implements StreamDecoder {
  private id: string | null = null;
  private begun = false;
  private over = false;
  private readonly open = new Map<unknown, Block>();
  private calls = 0;
  private thoughts = 0;
  private usage: JsonObject | null = null;
  /** The output was counted at the end. A count that the beginning had is a placeholder. */
  private counted = false;
  private stopReason: string | null = null;
  private stopSequence: string | null = null;
  private explanation: string | null = null;

  /** A stop reason is given once all content came; some servers leave out the event after it. */
  get complete(): boolean {
    return this.over || this.stopReason !== null;
  }

  push(frame: Frame): ReplyEvent[] {
    if (this.over) return [];
    const event: unknown = readJson(frame.data);
    const refusal = refusalIn(event);
    if (refusal) throw new ProviderRefusal(refusal);
    if (!isObject(event)) return [];
    switch (event['type']) {
      case 'message_start':
        return this.begin(objectOf(event['message']));
      case 'content_block_start':
        return this.beginBlock(event['index'], objectOf(event['content_block']));
      case 'content_block_delta':
        return this.addTo(event['index'], objectOf(event['delta']));
      case 'content_block_stop':
        return this.endBlock(event['index']);
      case 'message_delta':
        this.readEnd(objectOf(event['delta']));
        return this.readUsage(event['usage'], this.stopReason !== null);
      case 'message_stop':
        return this.close();
      default:
        return [];
    }
  }

  end(): ReplyEvent[] {
    return this.complete && !this.over ? this.close() : [];
  }

  /** A message with what it holds already: all of it, when the reply is whole. A stream begins with a count of its input alone. */
  begin(message: JsonObject, whole = false): ReplyEvent[] {
    const id = textOf(message['id']);
    // Some proxies send the beginning twice; two different ones are two answers spliced together.
    if (this.begun && id === this.id) return [];
    if (this.begun) throw new Error('a second message begins inside the first');
    this.begun = true;
    this.id = id;
    const blocks = listOf(message['content']).flatMap((block, index) => this.wholeBlock(index, objectOf(block)));
    const start: ReplyEvent = { type: 'start', id, model: textOf(message['model']) };
    this.readEnd(message);
    return [start, ...blocks, ...this.readUsage(message['usage'], whole)];
  }

  private wholeBlock(index: number, block: JsonObject): ReplyEvent[] {
    const begun = this.beginBlock(index, block);
    const citations = listOf(block['citations']).flatMap((citation) => citationEvents(citation));
    return [...begun, ...citations, ...this.endBlock(index)];
  }

  private beginBlock(index: unknown, block: JsonObject): ReplyEvent[] {
    switch (block['type']) {
      case 'text':
        this.open.set(index, { kind: 'text' });
        return textEvents(block['text']);
      case 'thinking': {
        const thinking = { kind: 'thinking', block: this.thoughts++ } as const;
        this.open.set(index, thinking);
        return [...thinkingEvents(thinking.block, block['thinking']), ...signatureEvents(thinking.block, block['signature'])];
      }
      case 'redacted_thinking': {
        this.open.set(index, { kind: 'other' });
        const redacted = textOf(block['data']);
        return [{ type: 'reasoning_state', choice: 0, block: this.thoughts++, origin: 'anthropic', signature: null, redacted, id: null }];
      }
      case 'tool_use': {
        const call = this.calls++;
        this.open.set(index, { kind: 'tool', call, input: block['input'], begun: false });
        return [{ type: 'tool_call', choice: 0, call, id: textOf(block['id']), name: textOf(block['name']) ?? '' }];
      }
      default:
        this.open.set(index, { kind: 'other' });
        return otherEvents(block);
    }
  }

  private addTo(index: unknown, delta: JsonObject): ReplyEvent[] {
    const block = this.open.get(index);
    switch (delta['type']) {
      case 'text_delta':
        return textEvents(delta['text']);
      case 'thinking_delta':
        return block?.kind === 'thinking' ? thinkingEvents(block.block, delta['thinking']) : otherEvents(delta);
      case 'signature_delta':
        return block?.kind === 'thinking' ? signatureEvents(block.block, delta['signature']) : [];
      case 'input_json_delta': {
        const text = textOf(delta['partial_json']);
        if (!text) return [];
        // The input of a tool that the provider runs itself.
        if (block?.kind !== 'tool') return otherEvents(delta);
        block.begun = true;
        return [{ type: 'arguments', choice: 0, call: block.call, text }];
      }
      case 'citations_delta':
        return citationEvents(delta['citation']);
      default:
        return otherEvents(delta);
    }
  }

  /** The input a call begins with is a placeholder, unless no piece of it follows. */
  private endBlock(index: unknown): ReplyEvent[] {
    const block = this.open.get(index);
    this.open.delete(index);
    if (block?.kind !== 'tool' || block.begun) return [];
    return [{ type: 'arguments', choice: 0, call: block.call, text: writeJson(objectOf(block.input)) }];
  }

  private readEnd(end: JsonObject): void {
    this.stopReason = textOf(end['stop_reason']) ?? this.stopReason;
    this.stopSequence = textOf(end['stop_sequence']) ?? this.stopSequence;
    this.explanation = textOf(objectOf(end['stop_details'])['explanation']) ?? this.explanation;
  }

  private readUsage(usage: unknown, final: boolean): ReplyEvent[] {
    if (!isObject(usage)) return [];
    this.usage = mergeUsage(this.usage, usage);
    this.counted ||= final && usage['output_tokens'] != null;
    return [{ type: 'usage', usage: readUsage(this.usage), raw: this.usage, final: this.counted, replaces: true }];
  }

  /** The message is over. */
  close(): ReplyEvent[] {
    this.over = true;
    const { stopReason, stopSequence, explanation } = this;
    const reason = finishOf(stopReason);
    const refusal: ReplyEvent[] =
      reason === 'content_filter' && explanation ? [{ type: 'refusal', choice: 0, text: explanation, written: false }] : [];
    return [...refusal, { type: 'finish', choice: 0, reason, native: stopReason, stopSequence }];
  }
}

function textEvents(value: unknown): ReplyEvent[] {
  const text = textOf(value);
  return text ? [{ type: 'text', choice: 0, text }] : [];
}

function thinkingEvents(block: number, value: unknown): ReplyEvent[] {
  const text = textOf(value);
  return text ? [{ type: 'reasoning', choice: 0, block, text }] : [];
}

function signatureEvents(block: number, value: unknown): ReplyEvent[] {
  const signature = textOf(value);
  return signature ? [{ type: 'reasoning_state', choice: 0, block, origin: 'anthropic', signature, redacted: null, id: null }] : [];
}

function otherEvents(said: JsonObject): ReplyEvent[] {
  const { bytes, images } = looseOutput(said);
  return bytes + images === 0 ? [] : [{ type: 'other', choice: 0, bytes, images }];
}

/** Citations of documents have no meaning outside; those of pages do. */
function citationEvents(value: unknown): ReplyEvent[] {
  const { url, title } = objectOf(value);
  if (typeof url !== 'string') return [];
  const annotation: UrlCitation = { url, title: textOf(title), start: null, end: null };
  return [{ type: 'annotation', choice: 0, annotation }];
}
