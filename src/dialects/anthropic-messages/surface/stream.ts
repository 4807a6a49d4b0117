import type { WeirError } from '../../../kernel/errors.js';
import { NO_USAGE } from '../../../kernel/usage.js';
import type { ReasoningPart, ReplyEvent } from '../../canonical.js';
import type { ReplyIdentity, StreamEncoder, StreamEnd } from '../../dialect.js';
import { isObject, type JsonObject, parsed } from '../../kit/json.js';
import { encodeError } from '../errors.js';
import { encodeUsage } from '../usage.js';
import { encodeCallState, encodeEnd, encodeHead, isExplained, signatureOf } from './answer.js';

type State = Omit<ReasoningPart, 'type' | 'text'>;

interface Block {
  kind: 'text' | 'thinking' | 'whole' | 'tool';
  /** As it begins. */
  start: JsonObject;
  /** Not sent yet. */
  deltas: JsonObject[];
  /** Of a tool call, as far as they came. */
  json: string;
  /** Of thinking; it is sent when the block ends. */
  state: State | null;
  opened: boolean;
  closed: boolean;
}

const event = (data: { type: string } & JsonObject): string => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;

/**
 * Writes a stream of one message. Its blocks must follow one another, where other formats let tool calls interleave: only the first block that
 * is not over is sent on, and what belongs to later ones waits.
 */
export class MessageStream implements StreamEncoder {
  private readonly blocks: Block[] = [];
  /** The first block that is not over. */
  private head = 0;
  private begun = false;
  private model: string | null = null;
  private refusal = '';
  private readonly thoughts = new Map<number, Block>();
  private readonly calls = new Map<number, Block>();

  constructor(private readonly identity: ReplyIdentity) {}

  push(event: ReplyEvent): string {
    if ('choice' in event && event.choice !== 0) return '';
    this.take(event);
    return this.send(false);
  }

  end({ finishes, usage, costUsd }: StreamEnd): string {
    const finish = finishes.find(({ choice }) => choice === 0) ?? { reason: 'stop' as const, native: null };
    if (this.refusal !== '' && !isExplained(finish.reason)) this.text(this.refusal);
    const rest = this.send(true);
    return (
      this.begin() +
      rest +
      event({
        type: 'message_delta',
        delta: { ...encodeEnd(finish, this.refusal) },
        usage: { ...encodeUsage(usage), ...(costUsd !== null && { cost: costUsd }) },
      }) +
      event({ type: 'message_stop' })
    );
  }

  fail(error: WeirError): string {
    return event(encodeError(error) as { type: string } & JsonObject);
  }

  private take(event: ReplyEvent): void {
    switch (event.type) {
      case 'start':
        this.model = event.model;
        return;
      case 'text':
        if (event.text !== '') this.text(event.text);
        return;
      case 'refusal':
        this.refusal += event.text;
        return;
      case 'reasoning':
        if (event.text !== '') this.thinking(event.block).deltas.push({ type: 'thinking_delta', thinking: event.text });
        return;
      case 'reasoning_state':
        return this.state(event);
      case 'tool_call': {
        if (event.signature !== undefined) this.callState(event.signature);
        this.calls.set(event.call, this.add('tool', { type: 'tool_use', id: event.id, name: event.name, input: {} }));
        return;
      }
      case 'arguments': {
        const call = this.calls.get(event.call);
        if (!call || call.closed) return;
        call.json += event.text;
        call.deltas.push({ type: 'input_json_delta', partial_json: event.text });
        return;
      }
      // The format has none of them in a stream, or tells them at its end.
      case 'annotation':
      case 'image':
      case 'logprobs':
      case 'other':
      case 'usage':
      case 'finish':
        return;
    }
    event satisfies never;
  }

  private text(text: string): void {
    const last = this.blocks.at(-1);
    const block = last?.kind === 'text' ? last : this.add('text', { type: 'text', text: '' });
    block.deltas.push({ type: 'text_delta', text });
  }

  private state({ block, origin, signature, redacted, id }: Extract<ReplyEvent, { type: 'reasoning_state' }>): void {
    if (origin === 'anthropic' && redacted !== null) {
      this.add('whole', { type: 'redacted_thinking', data: redacted });
      return;
    }
    const thinking = this.thinking(block);
    const before = thinking.state;
    thinking.state = {
      origin,
      signature: signature ?? before?.signature ?? null,
      redacted: redacted ?? before?.redacted ?? null,
      id: id ?? before?.id ?? null,
    };
  }

  /** Clients read a signature from its delta only. */
  private callState(sealed: string): void {
    const { signature, ...start } = encodeCallState(sealed);
    this.add('whole', { ...start, signature: '' }).deltas.push({ type: 'signature_delta', signature });
  }

  private thinking(number: number): Block {
    const known = this.thoughts.get(number);
    if (known && !known.closed) return known;
    const block = this.add('thinking', { type: 'thinking', thinking: '', signature: '' });
    this.thoughts.set(number, block);
    return block;
  }

  private add(kind: Block['kind'], start: JsonObject): Block {
    const block: Block = { kind, start, deltas: [], json: '', state: null, opened: false, closed: false };
    this.blocks.push(block);
    return block;
  }

  /** What may be sent now. @param all nothing more comes. */
  private send(all: boolean): string {
    let out = '';
    for (let block = this.blocks[this.head]; block; block = this.blocks[this.head]) {
      if (!block.opened) out += this.begin() + event({ type: 'content_block_start', index: this.head, content_block: block.start });
      block.opened = true;
      for (const delta of block.deltas) out += this.delta(delta);
      block.deltas = [];
      if (!all && !this.isOver(block)) break;
      const signature = block.state ? signatureOf(block.state) : '';
      if (signature !== '') out += this.delta({ type: 'signature_delta', signature });
      out += event({ type: 'content_block_stop', index: this.head });
      block.closed = true;
      this.head++;
    }
    return out;
  }

  private delta(delta: JsonObject): string {
    return event({ type: 'content_block_delta', index: this.head, delta });
  }

  /** A block is over when another begins; a call only when its arguments are a whole object, too. */
  private isOver({ kind, json }: Block): boolean {
    if (kind === 'whole') return true;
    if (this.head === this.blocks.length - 1) return false;
    return kind !== 'tool' || (json.trimEnd().endsWith('}') && isObject(parsed(json)));
  }

  private begin(): string {
    if (this.begun) return '';
    this.begun = true;
    const message = {
      ...encodeHead(this.identity, this.model),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: encodeUsage(NO_USAGE),
    };
    return event({ type: 'message_start', message });
  }
}
