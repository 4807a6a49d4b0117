import type { FinishReason, ReplyEvent } from '../canonical.js';
import { type Frame, NoAnswer, ProviderRefusal, type StreamDecoder } from '../dialect.js';
import { isObject, type JsonObject, listOf, objectOf, readJson, textOf } from '../kit/json.js';
import { table } from '../kit/table.js';
import { refusalOf } from './errors.js';
import { readUsage } from './usage.js';

type Finish = Extract<ReplyEvent, { type: 'finish' }>;

/** There is one answer. */
const choice = 0;

const FINISHES = table<FinishReason>({
  COMPLETE: 'stop',
  STOP_SEQUENCE: 'stop',
  MAX_TOKENS: 'length',
  TOOL_CALL: 'tool_calls',
  ERROR: 'error',
  TIMEOUT: 'error',
});

/** A whole reply. @throws ProviderRefusal; anything else when it is no reply of Cohere's. */
export function decodeAnswer(body: Buffer): ReplyEvent[] {
  const reply = objectOf(readJson(body.toString()));
  refuseError(reply);
  const message = reply['message'];
  if (!isObject(message)) {
    const { usage } = reply;
    throw new NoAnswer('the reply has no message', usage == null ? null : readUsage(usage), usage);
  }
  const pieces = new Pieces();
  return [
    { type: 'start', id: textOf(reply['id']), model: null },
    ...pieces.plan(message['tool_plan']),
    ...contentOf(message).flatMap((block, index) => pieces.content(index, block)),
    ...listOf(message['tool_calls']).flatMap((call, index) => pieces.call(index, objectOf(call))),
    ...pieces.end(),
    ...usageOf(reply, true),
    finishOf(reply),
  ];
}

/** Reads a stream: events of pieces, and `message-end` last. */
export class CohereDecoder implements StreamDecoder {
  private readonly pieces = new Pieces();
  private finish: Finish | null = null;

  get complete(): boolean {
    return this.finish !== null;
  }

  push({ data }: Frame): ReplyEvent[] {
    if (data.trim() === '[DONE]') return [];
    const event = objectOf(readJson(data));
    const delta = objectOf(event['delta']);
    const message = objectOf(delta['message']);
    switch (event['type']) {
      case undefined:
        refuseError(event);
        return [];
      case 'message-start':
        return [{ type: 'start', id: textOf(event['id']), model: null }, ...usageOf(delta, false)];
      case 'tool-plan-delta':
        return this.pieces.plan(message['tool_plan']);
      case 'content-start':
      case 'content-delta':
        return this.pieces.content(event['index'], objectOf(message['content']));
      case 'tool-call-start':
        return this.pieces.call(event['index'], objectOf(message['tool_calls']));
      case 'tool-call-delta':
        return this.pieces.moreArguments(event['index'], objectOf(message['tool_calls']));
      case 'message-end': {
        this.finish ??= finishOf(delta);
        return [...this.pieces.end(), ...usageOf(delta, true)];
      }
      default:
        return [];
    }
  }

  end(): ReplyEvent[] {
    return this.finish ? [this.finish] : [];
  }
}

/** An error says its sentence where a reply has its message. */
function refuseError(reply: JsonObject): void {
  if (typeof reply['message'] === 'string') throw new ProviderRefusal(refusalOf(500, reply['message']));
}

function contentOf({ content }: JsonObject): JsonObject[] {
  return typeof content === 'string' ? [{ text: content }] : listOf(content).map(objectOf);
}

function usageOf({ usage }: JsonObject, final: boolean): ReplyEvent[] {
  return usage == null ? [] : [{ type: 'usage', usage: readUsage(usage), raw: usage, final }];
}

function finishOf({ finish_reason: reason, error }: JsonObject): Finish {
  const native = textOf(reason);
  const message = textOf(error);
  if (message) return { type: 'finish', choice, reason: 'error', native, message };
  return { type: 'finish', choice, reason: FINISHES[native ?? ''] ?? 'stop', native };
}

/** The pieces of one answer, numbered as they come. */
class Pieces {
  private readonly blocks = new Map<unknown, number>();
  private readonly calls = new Map<unknown, number>();
  private toolPlan = '';

  /** What the model means to do with its tools. Not for people: it wants to see it again. */
  plan(text: unknown): ReplyEvent[] {
    const said = textOf(text) ?? '';
    this.toolPlan += said;
    return said === '' ? [] : [{ type: 'other', choice, bytes: Buffer.byteLength(said), images: 0 }];
  }

  end(): ReplyEvent[] {
    if (this.toolPlan === '') return [];
    const block = this.blocks.size;
    return [{ type: 'reasoning_state', choice, block, origin: 'cohere', signature: this.toolPlan, redacted: null, id: null }];
  }

  content(index: unknown, { text, thinking }: JsonObject): ReplyEvent[] {
    const events = this.reasoning(index, thinking);
    if (typeof text === 'string' && text !== '') events.push({ type: 'text', choice, text });
    return events;
  }

  call(index: unknown, call: JsonObject): ReplyEvent[] {
    const number = this.calls.size;
    this.calls.set(index, number);
    const name = textOf(objectOf(call['function'])['name']) ?? '';
    return [{ type: 'tool_call', choice, call: number, id: textOf(call['id']), name }, ...this.moreArguments(index, call)];
  }

  moreArguments(index: unknown, call: JsonObject): ReplyEvent[] {
    const text = textOf(objectOf(call['function'])['arguments']);
    const number = this.calls.get(index);
    if (number === undefined) throw new Error('arguments of a tool call that did not begin');
    return text === null || text === '' ? [] : [{ type: 'arguments', choice, call: number, text }];
  }

  private reasoning(key: unknown, text: unknown): ReplyEvent[] {
    if (typeof text !== 'string' || text === '') return [];
    const block = this.blocks.get(key) ?? this.blocks.size;
    this.blocks.set(key, block);
    return [{ type: 'reasoning', choice, block, text }];
  }
}
