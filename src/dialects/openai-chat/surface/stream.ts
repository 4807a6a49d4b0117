import type { WeirError } from '../../../kernel/errors.js';
import type { ReasoningPart, ReplyEvent } from '../../canonical.js';
import type { CallRequest, ReplyIdentity, StreamEncoder, StreamEnd } from '../../dialect.js';
import { customInput } from '../../kit/custom-tools.js';
import { encodeError } from '../errors.js';
import { encodeDetails } from '../reasoning-details.js';
import { encodeUsage } from '../usage.js';
import { encodeAnnotation, encodeImage, replyId } from './answer.js';
import { type CallStyle, callStyleOf, encodeSignature, finishReasonOf } from './call-style.js';

const DONE = 'data: [DONE]\n\n';

type ChoiceEvent = Exclude<ReplyEvent, { type: 'start' | 'usage' | 'other' | 'finish' }>;

/** Writes a stream of chat chunks. */
export class ChatStreamEncoder implements StreamEncoder {
  private model: string;
  /** What every chunk begins with, made when the first is. */
  private head: string | null = null;
  /** What every chunk but the one with the usage ends with. */
  private readonly foot: string;
  private readonly choices = new Map<number, EncodedChoice>();
  private readonly style: CallStyle;

  constructor(
    private readonly prompt: CallRequest,
    private readonly identity: ReplyIdentity,
  ) {
    this.model = identity.model;
    this.style = callStyleOf(prompt);
    this.foot = prompt.includeUsage ? ',"usage":null}\n\n' : '}\n\n';
  }

  push(event: ReplyEvent): string {
    switch (event.type) {
      case 'start':
        if (this.head === null) this.model = event.model ?? this.model;
        return '';
      case 'usage':
      case 'other':
      case 'finish':
        return '';
      case 'text':
      case 'refusal':
      case 'reasoning':
      case 'reasoning_state':
      case 'tool_call':
      case 'arguments':
      case 'annotation':
      case 'image':
      case 'logprobs':
        return this.encode(event);
    }
  }

  end({ finishes, usage, costUsd }: StreamEnd): string {
    const last = finishes.map(({ choice, reason, native }) => {
      const ended = `"finish_reason":${JSON.stringify(finishReasonOf(reason, this.style))},"native_finish_reason":${JSON.stringify(native)}`;
      return this.begin(choice) + this.details(choice) + this.customCalls(choice) + this.chunk(choice, '{}', ended);
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
    const chunk = event.type === 'reasoning' || event.type === 'reasoning_state' ? this.reason(event) : this.speak(event);
    return chunk === '' ? '' : this.begin(choice) + chunk;
  }

  private speak(event: Exclude<ChoiceEvent, { type: 'reasoning' | 'reasoning_state' }>): string {
    const before = this.details(event.choice);
    return before + this.content(event);
  }

  private content(event: Exclude<ChoiceEvent, { type: 'reasoning' | 'reasoning_state' }>): string {
    const { choice } = event;
    switch (event.type) {
      case 'text':
        return event.text === '' ? '' : this.chunk(choice, `{"content":${JSON.stringify(event.text)}}`);
      case 'refusal':
        return event.text === '' ? '' : this.chunk(choice, `{"refusal":${JSON.stringify(event.text)}}`);
      case 'tool_call':
        return this.call(event);
      case 'arguments':
        return this.callArguments(event);
      case 'annotation':
        return this.delta(choice, { annotations: [encodeAnnotation(event.annotation)] });
      case 'image':
        return this.delta(choice, { images: [encodeImage(event)] });
      case 'logprobs':
        return this.chunk(choice, '{}', `"logprobs":${JSON.stringify({ content: event.content, refusal: null })},"finish_reason":null`);
    }
  }

  private call({ choice, call: index, id, name, signature }: Extract<ReplyEvent, { type: 'tool_call' }>): string {
    if (this.style.legacy) return index > 0 ? '' : this.delta(choice, { function_call: { name, arguments: '' } });
    const isCustom = this.style.custom.has(name);
    if (isCustom) this.choice(choice).custom.set(index, '');
    const said = isCustom ? { type: 'custom', custom: { name, input: '' } } : { type: 'function', function: { name, arguments: '' } };
    return this.delta(choice, { tool_calls: [{ index, id, ...said, ...encodeSignature(signature) }] });
  }

  private callArguments({ choice, call: index, text }: Extract<ReplyEvent, { type: 'arguments' }>): string {
    if (text === '') return '';
    if (this.style.legacy) return index > 0 ? '' : this.delta(choice, { function_call: { arguments: text } });
    const { custom } = this.choice(choice);
    const before = custom.get(index);
    if (before === undefined) return this.delta(choice, { tool_calls: [{ index, function: { arguments: text } }] });
    custom.set(index, before + text);
    return '';
  }

  /** The free text of a custom tool is known once its JSON has ended. */
  private customCalls(choice: number): string {
    const calls = [...this.choice(choice).custom].map(([index, args]) => ({ index, custom: { input: customInput(args) } }));
    return calls.length === 0 ? '' : this.delta(choice, { tool_calls: calls });
  }

  /** Its text goes out at once, its state when something else follows. */
  private reason(event: Extract<ReplyEvent, { type: 'reasoning' | 'reasoning_state' }>): string {
    const { choice, block } = event;
    const { blocks } = this.choice(choice);
    const part = blocks.get(block) ?? { type: 'reasoning', text: '', origin: null, signature: null, redacted: null, id: null };
    blocks.set(block, part);
    if (event.type === 'reasoning_state') {
      part.origin = event.origin;
      part.signature = event.signature ?? part.signature;
      part.redacted = event.redacted ?? part.redacted;
      part.id = event.id ?? part.id;
      return '';
    }
    part.text += event.text;
    return event.text === '' ? '' : this.delta(choice, { reasoning_content: event.text });
  }

  /** The state of blocks that follow each other, in one chunk: OpenAI's own SDK keeps only the last value of a field it does not know. */
  private details(choice: number): string {
    const { blocks } = this.choice(choice);
    const details = [...blocks].flatMap(([index, part]) => encodeDetails(part, index));
    blocks.clear();
    return details.length === 0 ? '' : this.delta(choice, { reasoning_details: details });
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
      choice = { begun: false, blocks: new Map(), custom: new Map() };
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
  /** Of reasoning whose state was not sent yet, by their numbers. */
  readonly blocks: Map<number, ReasoningPart>;
  /** Arguments so far of the calls of custom tools, by their numbers. */
  readonly custom: Map<number, string>;
}
