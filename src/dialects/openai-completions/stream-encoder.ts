import type { WeirError } from '../../kernel/errors.js';
import type { ReplyEvent } from '../canonical.js';
import type { CallRequest, ReplyIdentity, StreamEncoder, StreamEnd } from '../dialect.js';
import { encodeError } from '../openai-chat/errors.js';
import { encodeUsage } from '../openai-chat/usage.js';

export const replyId = ({ id }: ReplyIdentity): string => `cmpl-${id}`;

/** Writes a stream of legacy completions: text is all they can say. */
export class CompletionsStreamEncoder implements StreamEncoder {
  private model: string;

  constructor(
    private readonly prompt: CallRequest,
    private readonly identity: ReplyIdentity,
  ) {
    this.model = identity.model;
  }

  push(event: ReplyEvent): string {
    if (event.type === 'start') this.model = event.model ?? this.model;
    if ((event.type !== 'text' && event.type !== 'refusal') || event.text === '') return '';
    return this.chunk(event.choice, event.text, null);
  }

  end({ finishes, usage, costUsd }: StreamEnd): string {
    const last = finishes.map(({ choice, reason }) => this.chunk(choice, '', reason));
    const shown = costUsd === null ? encodeUsage(usage) : { ...encodeUsage(usage), cost: costUsd };
    if (this.prompt.includeUsage) last.push(this.event([], shown));
    return `${last.join('')}data: [DONE]\n\n`;
  }

  fail(error: WeirError): string {
    return `data: ${JSON.stringify(encodeError(error))}\n\n`;
  }

  private chunk(index: number, text: string, finish: string | null): string {
    return this.event([{ text, index, logprobs: null, finish_reason: finish }], null);
  }

  private event(choices: object[], usage: object | null): string {
    const [id, created] = [replyId(this.identity), this.identity.createdAt];
    const chunk = { id, object: 'text_completion', created, model: this.model, choices, ...(this.prompt.includeUsage && { usage }) };
    return `data: ${JSON.stringify(chunk)}\n\n`;
  }
}
