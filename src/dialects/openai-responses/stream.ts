import type { WeirError } from '../../kernel/errors.js';
import type { ReplyEvent } from '../canonical.js';
import type { CallRequest, ReplyIdentity, StreamEncoder, StreamEnd } from '../dialect.js';
import { type JsonObject, writeJson } from '../kit/json.js';
import { clientToolsOf } from './client-tools.js';
import { Output } from './output.js';
import { keepItems } from './own-items.js';
import { completedAt, endOf, errorOf, responseHead } from './response.js';
import { encodeUsage } from './usage.js';

/** One event. There is no [DONE] in this format. */
export const sseEvent = (type: string, sequenceNumber: number, fields: JsonObject): string =>
  `event: ${type}\ndata: ${writeJson({ type, sequence_number: sequenceNumber, ...fields })}\n\n`;

/** Writes the whole life of a response: created, every item from its beginning to its end, then the response as it came out. */
export class ResponsesStreamEncoder implements StreamEncoder {
  private out = '';
  private sequenceNumber = 0;
  private begun = false;
  private servedModel: string | null = null;
  private readonly output: Output;

  constructor(
    private readonly prompt: CallRequest,
    private readonly identity: ReplyIdentity,
  ) {
    this.output = new Output(identity.id, clientToolsOf(prompt), (type, fields) => this.emit(type, fields));
  }

  push(event: ReplyEvent): string {
    if (event.type === 'start') this.servedModel = event.model;
    else {
      this.begin();
      this.output.add(event);
    }
    return this.takeOut();
  }

  end({ finishes, usage, costUsd }: StreamEnd): string {
    this.begin();
    const end = endOf(finishes[0]?.reason ?? 'stop');
    this.output.close(end.status === 'incomplete');
    keepItems(this.prompt, this.output.wire, this.identity.items);
    const spent = { ...encodeUsage(usage), ...(costUsd !== null && { cost: costUsd }) };
    this.emit(end.status, {
      response: { ...this.head, ...end, completed_at: completedAt(end, this.identity), output: this.output.wire, usage: spent },
    });
    return this.takeOut();
  }

  fail(error: WeirError): string {
    this.begin();
    this.emit('failed', { response: { ...this.head, status: 'failed', error: errorOf(error), output: this.output.wire } });
    return this.takeOut();
  }

  private begin(): void {
    if (this.begun) return;
    this.begun = true;
    this.emit('created', { response: this.head });
    this.emit('in_progress', { response: this.head });
  }

  private get head(): JsonObject {
    return responseHead(this.prompt, this.identity, this.servedModel);
  }

  private emit(type: string, fields: JsonObject): void {
    this.out += sseEvent(`response.${type}`, this.sequenceNumber++, fields);
  }

  private takeOut(): string {
    const { out } = this;
    this.out = '';
    return out;
  }
}
