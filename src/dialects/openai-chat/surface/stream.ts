import type { WeirError } from '../../../kernel/errors.js';
import type { ReasoningPart, ReplyEvent } from '../../canonical.js';
import type { Prompt, ReplyIdentity, StreamEncoder, StreamEnd } from '../../dialect.js';
import { encodeError } from '../errors.js';
import { encodeDetails } from '../reasoning-details.js';
import { encodeUsage } from '../usage.js';
import { encodeAnnotation, encodeImage, encodeSignature, replyId } from './answer.js';

const DONE = 'data: [DONE]\n\n';

type ChoiceEvent = Exclude<ReplyEvent, { type: 'start' | 'usage' | 'finish' }>;

/** Writes a stream of chat chunks. */
export class ChatStreamEncoder implements StreamEncoder {
  private model: string;
  /** What every chunk begins with, made when the first is. */
  private head: string | null = null;
  /** What every chunk but the one with the usage ends with. */
  private readonly foot: string;
  private readonly choices = new Map<number, EncodedChoice>();

  constructor(
    private readonly prompt: Prompt,
    private readonly identity: ReplyIdentity,
  ) {
    this.model = identity.model;
    this.foot = prompt.includeUsage ? ',"usage":null}\n\n' : '}\n\n';
  }

  push(event: ReplyEvent): string {
    switch (event.type) {
      case 'start':
        if (this.head === null) this.model = event.model ?? this.model;
        return '';
      case 'usage':
      case 'finish':
        return '';
      default:
        return this.encode(event);
    }
  }

  end({ finishes, usage, costUsd }: StreamEnd): string {
    const last = finishes.map(({ choice, reason, native }) => {
      const ended = `"finish_reason":${JSON.stringify(reason)},"native_finish_reason":${JSON.stringify(native)}`;
      return this.begin(choice) + this.details(choice) + this.chunk(choice, '{}', ended);
    });
    if (this.prompt.includeUsage) {
      const shown = costUsd === null ? encodeUsage(usage) : { ...encodeUsage(usage), cost: costUsd };
      last.push(`${this.start()}[],"usage":${JSON.stringify(shown)}}\n\n`);
    }
    return `${last.join('')}${DONE}`;
  }

  fail(error: WeirError): string {
    return `data: ${JSON.stringify(encodeError(error))}\n\n`;
  }

  private encode(event: ChoiceEvent): string {
    const { choice } = event;
    if (event.type === 'reasoning' || event.type === 'reasoning_state') return this.reason(event);
    const before = this.details(choice);
    const chunk = this.content(event);
    return chunk === '' ? before : before + this.begin(choice) + chunk;
  }

  private content(event: Exclude<ChoiceEvent, { type: 'reasoning' | 'reasoning_state' }>): string {
    const { choice } = event;
    switch (event.type) {
      case 'text':
        return event.text === '' ? '' : this.chunk(choice, `{"content":${JSON.stringify(event.text)}}`);
      case 'refusal':
        return event.text === '' ? '' : this.chunk(choice, `{"refusal":${JSON.stringify(event.text)}}`);
      case 'tool_call': {
        const { call: index, id, name, signature } = event;
        return this.delta(choice, {
          tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' }, ...encodeSignature(signature) }],
        });
      }
      case 'arguments':
        return event.text === '' ? '' : this.delta(choice, { tool_calls: [{ index: event.call, function: { arguments: event.text } }] });
      case 'annotation':
        return this.delta(choice, { annotations: [encodeAnnotation(event.annotation)] });
      case 'image':
        return this.delta(choice, { images: [encodeImage(event)] });
      case 'logprobs':
        return this.chunk(choice, '{}', `"logprobs":${JSON.stringify({ content: event.content, refusal: null })},"finish_reason":null`);
    }
  }

  /** Its text goes out at once, its state in one entry when the block is over: clients that collect entries then have it in one piece. */
  private reason(event: Extract<ReplyEvent, { type: 'reasoning' | 'reasoning_state' }>): string {
    const { choice, block: index } = event;
    const state = this.choice(choice);
    const before = state.block?.index === index ? '' : this.details(choice);
    state.block ??= { index, part: { type: 'reasoning', text: '', origin: null, signature: null, redacted: null, id: null } };
    const { part } = state.block;
    if (event.type === 'reasoning_state') {
      part.origin = event.origin;
      part.signature = event.signature ?? part.signature;
      part.redacted = event.redacted ?? part.redacted;
      part.id = event.id ?? part.id;
      return before;
    }
    part.text += event.text;
    return event.text === '' ? before : before + this.begin(choice) + this.delta(choice, { reasoning_content: event.text });
  }

  /** The state of the block of reasoning that is over. */
  private details(choice: number): string {
    const state = this.choices.get(choice);
    if (!state?.block) return '';
    const { index, part } = state.block;
    state.block = null;
    const details = encodeDetails(part, index);
    return details.length === 0 ? '' : this.begin(choice) + this.delta(choice, { reasoning_details: details });
  }

  /** A choice's first chunk says whose words follow. */
  private begin(choice: number): string {
    const state = this.choice(choice);
    if (state.begun) return '';
    state.begun = true;
    return this.chunk(choice, '{"role":"assistant","content":""}');
  }

  private choice(index: number): EncodedChoice {
    let choice = this.choices.get(index);
    if (!choice) {
      choice = { begun: false, block: null };
      this.choices.set(index, choice);
    }
    return choice;
  }

  private delta(choice: number, delta: object): string {
    return this.chunk(choice, JSON.stringify(delta));
  }

  private chunk(choice: number, delta: string, rest = '"finish_reason":null'): string {
    return `${this.start()}[{"index":${choice},"delta":${delta},${rest}}]${this.foot}`;
  }

  private start(): string {
    this.head ??= `data: {"id":${JSON.stringify(replyId(this.identity))},"object":"chat.completion.chunk","created":${this.identity.createdAt},"model":${JSON.stringify(this.model)},"choices":`;
    return this.head;
  }
}

interface EncodedChoice {
  /** Its role was sent. */
  begun: boolean;
  /** The block of reasoning under way. */
  block: { index: number; part: ReasoningPart } | null;
}
