import type { Answer, AnswerChoice, AnswerPart, ReasoningPart, ReplyEvent, ToolCallPart } from '../canonical.js';
import { addState, emptyReasoning } from './reasoning-part.js';

/** Puts the events of a reply together again. */
export class Fold {
  private id: string | null = null;
  private model: string | null = null;
  private readonly choices: FoldedChoice[] = [];

  add(event: ReplyEvent): void {
    switch (event.type) {
      case 'start':
        this.id ??= event.id;
        this.model ??= event.model;
        return;
      case 'usage':
      case 'other':
        return;
      case 'text':
      case 'refusal':
      case 'reasoning':
      case 'reasoning_state':
      case 'tool_call':
      case 'arguments':
      case 'annotation':
      case 'image':
      case 'logprobs':
      case 'finish':
        return this.choice(event.choice).add(event);
    }
    event satisfies never;
  }

  /** What was seen so far. An answer that has not ended counts as stopped. */
  answer(): Answer {
    return { id: this.id, model: this.model, choices: this.choices.map((choice) => choice.answer) };
  }

  private choice(index: number): FoldedChoice {
    while (this.choices.length <= index) this.choices.push(new FoldedChoice());
    return this.choices[index]!;
  }
}

/** The answer that a reply's events make up. */
export function fold(events: Iterable<ReplyEvent>): Answer {
  const whole = new Fold();
  for (const event of events) whole.add(event);
  return whole.answer();
}

type ChoiceEvent = Exclude<ReplyEvent, { type: 'start' | 'usage' | 'other' }>;

class FoldedChoice {
  readonly answer: AnswerChoice = {
    parts: [],
    annotations: [],
    logprobs: null,
    finish: 'stop',
    native: null,
    stopSequence: null,
  };
  private readonly calls = new Map<number, ToolCallPart>();
  private readonly reasoning = new Map<number, ReasoningPart>();

  add(event: ChoiceEvent): void {
    const { answer } = this;
    switch (event.type) {
      case 'text':
        return this.addText(event.text, event.phase);
      case 'refusal':
        return this.addRefusal(event.text);
      case 'reasoning':
        this.block(event.block).text += event.text;
        return;
      case 'reasoning_state':
        return addState(this.block(event.block), event);
      case 'tool_call': {
        const call: ToolCallPart = { type: 'tool_call', id: event.id ?? '', name: event.name, arguments: '' };
        if (event.signature !== undefined) call.signature = event.signature;
        this.calls.set(event.call, call);
        answer.parts.push(call);
        return;
      }
      case 'arguments': {
        const call = this.calls.get(event.call);
        if (!call) throw new Error('arguments of a tool call that did not begin');
        call.arguments += event.text;
        return;
      }
      case 'annotation':
        answer.annotations.push(event.annotation);
        return;
      case 'image':
        answer.parts.push({ type: 'image', mediaType: event.mediaType, data: event.data });
        return;
      case 'logprobs':
        answer.logprobs ??= [];
        for (const one of event.content) answer.logprobs.push(one);
        return;
      case 'finish':
        answer.finish = event.reason;
        answer.native = event.native;
        answer.stopSequence = event.stopSequence ?? null;
        return;
    }
    event satisfies never;
  }

  private addText(text: string, phase: string | undefined): void {
    const last = this.last;
    if (last?.type === 'text' && last.phase === phase) last.text += text;
    else if (text !== '') this.answer.parts.push({ type: 'text', text, ...(phase !== undefined && { phase }) });
  }

  private addRefusal(text: string): void {
    const last = this.last;
    if (last?.type === 'refusal') last.text += text;
    else if (text !== '') this.answer.parts.push({ type: 'refusal', text });
  }

  private block(index: number): ReasoningPart {
    let block = this.reasoning.get(index);
    if (!block) {
      block = emptyReasoning();
      this.reasoning.set(index, block);
      this.answer.parts.push(block);
    }
    return block;
  }

  private get last(): AnswerPart | undefined {
    return this.answer.parts.at(-1);
  }
}
