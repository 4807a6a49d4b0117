import type { WeirError } from '../../kernel/errors.js';
import type { ReplyEvent } from '../canonical.js';
import type { Frame, StreamDecoder, StreamEncoder, StreamEnd } from '../dialect.js';
import { isObject, type JsonObject, listOf, objectOf, textOf } from '../kit/json.js';
import { eventOf, ResponsesDecoder } from './decode.js';
import { endOf, errorOf } from './response.js';
import { sseEvent } from './stream.js';
import { encodeUsage } from './usage.js';

/** A stream that passes as it is, followed closely enough to be ended in the provider's place: with its ids, its items and its numbers. */
export class FollowedStream implements StreamDecoder {
  private readonly decoder = new ResponsesDecoder();
  private response: JsonObject = {};
  private readonly items = new Map<number, JsonObject>();
  private lastNumber = -1;

  get complete(): boolean {
    return this.decoder.complete;
  }

  push(frame: Frame): ReplyEvent[] {
    const event = eventOf(frame);
    if (!event) return [];
    const events = this.decoder.read(event);
    this.follow(event);
    return events;
  }

  end(): ReplyEvent[] {
    return this.decoder.end();
  }

  /** Writes the end. What came before went out already. */
  get ending(): StreamEncoder {
    return {
      push: () => '',
      end: (end) => this.endOf(end),
      fail: (error) => this.failure(error),
    };
  }

  /** The last event was the one too many: its number is free. */
  private endOf({ finishes, usage }: StreamEnd): string {
    const end = endOf(finishes[0]?.reason ?? 'length');
    const response = { ...this.response, ...end, output: this.output, usage: encodeUsage(usage) };
    return sseEvent(`response.${end.status}`, Math.max(0, this.lastNumber), { response });
  }

  private failure(error: WeirError): string {
    const response = { ...this.response, status: 'failed', error: errorOf(error), output: this.output };
    return sseEvent('response.failed', this.lastNumber + 1, { response });
  }

  /** In their order; an item that was never begun has no place. */
  private get output(): JsonObject[] {
    return [...this.items].sort(([a], [b]) => a - b).map(([, item]) => item);
  }

  private follow(event: JsonObject): void {
    const { sequence_number: number, output_index: index, content_index: part, delta } = event;
    // The provider's own failure is not passed on.
    if (event['type'] === 'response.failed') return;
    if (Number.isInteger(number)) this.lastNumber = number as number;
    if (isObject(event['response'])) this.response = event['response'];
    if (!isPlace(index)) return;
    const item = this.items.get(index);
    switch (event['type']) {
      case 'response.output_item.added':
      case 'response.output_item.done':
        this.items.set(index, objectOf(event['item']));
        return;
      case 'response.content_part.added':
        if (isPlace(part)) listOf(item?.['content'])[part] = event['part'];
        return;
      case 'response.output_text.delta':
        return grow(objectOf(listOf(item?.['content'])[part as number]), 'text', delta);
      case 'response.function_call_arguments.delta':
        return grow(item, 'arguments', delta);
    }
  }
}

/** More items or parts than any answer has are nonsense, and an index among them would take up memory. */
const MAX_PLACES = 10_000;
const isPlace = (index: unknown): index is number =>
  typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < MAX_PLACES;

function grow(holder: JsonObject | undefined, field: string, delta: unknown): void {
  if (holder) holder[field] = (textOf(holder[field]) ?? '') + (textOf(delta) ?? '');
}
