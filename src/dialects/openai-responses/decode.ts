import type { FinishReason, ReplyEvent } from '../canonical.js';
import { type Frame, NoAnswer, type ProviderRefusal, type StreamDecoder } from '../dialect.js';
import { isObject, type JsonObject, listOf, objectOf, readJson, textOf } from '../kit/json.js';
import { errorIn } from '../openai-chat/errors.js';
import { looseEvents, OutputItems } from './output-items.js';
import { failureOf } from './refusals.js';
import { readUsage } from './usage.js';

/** Reads a whole response. @throws ProviderRefusal; an error when it is none, or not finished. */
export function decodeAnswer(body: Buffer): ReplyEvent[] {
  const reply: unknown = readJson(body.toString());
  const response = Array.isArray(reply) ? reply[0] : reply;
  if (!isObject(response)) throw new Error('the reply is no JSON object');
  if (!Array.isArray(response['output'])) {
    if (errorIn(response)) throw failureOf(response);
    const { usage } = response;
    throw new NoAnswer('the reply has no output', isObject(usage) ? readUsage(usage) : null, usage);
  }
  const items = new OutputItems();
  const parts = listOf(response['output']).flatMap((item, index) => [...items.finish(index, objectOf(item)), ...toolRun(objectOf(item))]);
  const end = endOf(response, items.hasCalls);
  // A failure that was billed is told with its usage; one that was not is told by its class.
  if (end.reason === 'error' && !isObject(response['usage'])) throw failureOf(response);
  return [startOf(response), ...parts, ...usageOf(response, true), end];
}

/** The event in a frame; null for the [DONE] that some send. @throws when it cannot be read. */
export function eventOf({ event: name, data }: Frame): JsonObject | null {
  if (data.trim() === '[DONE]') return null;
  const event: unknown = readJson(data);
  if (!isObject(event)) throw new Error('the event is no JSON object');
  return typeof event['type'] === 'string' ? event : { ...event, type: name };
}

/** Reads the events of one response. */
export class ResponsesDecoder implements StreamDecoder {
  complete = false;
  private started = false;
  /** Thrown once the usage that came with it was given out. */
  private failure: ProviderRefusal | null = null;
  private readonly items = new OutputItems();

  push(frame: Frame): ReplyEvent[] {
    const event = eventOf(frame);
    return event ? this.read(event) : [];
  }

  /** One event, as `eventOf` reads it. */
  read(event: JsonObject): ReplyEvent[] {
    if (this.failure) throw this.failure;
    if (this.complete) return [];
    const type = textOf(event['type']) ?? '';
    if (type === 'error' || (isObject(event['error']) && !isObject(event['response']))) throw failureOf(event);
    return isObject(event['response']) ? this.readResponse(type, event['response']) : this.readItem(type, event);
  }

  end(): ReplyEvent[] {
    if (this.failure) throw this.failure;
    return [];
  }

  private readResponse(type: string, response: JsonObject): ReplyEvent[] {
    const events: ReplyEvent[] = this.started ? [] : [startOf(response)];
    this.started = true;
    switch (type) {
      case 'response.completed':
      case 'response.incomplete':
      case 'response.done':
        if (isFailed(response)) return this.fail(events, response);
        // Where there were no events of items, the response has them.
        if (!this.items.seen) events.push(...this.itemsOf(response));
        this.complete = true;
        return [...events, ...usageOf(response, true), endOf(response, this.items.hasCalls, toldBy(type))];
      case 'response.failed':
      case 'response.cancelled':
        return this.fail(events, response);
      default:
        // Some tell a count when the response begins.
        return [...events, ...usageOf(response, false)];
    }
  }

  private fail(events: ReplyEvent[], response: JsonObject): ReplyEvent[] {
    this.failure = failureOf(response);
    const usage = usageOf(response, true);
    if (usage.length === 0) throw this.failure;
    return [...events, ...usage];
  }

  private itemsOf(response: JsonObject): ReplyEvent[] {
    return listOf(response['output'])
      .map(objectOf)
      .flatMap((item, index) => [...this.items.finish(index, item), ...toolRun(item)]);
  }

  private readItem(type: string, event: JsonObject): ReplyEvent[] {
    const index = indexIn(event, 'output_index');
    const delta = textOf(event['delta']) ?? '';
    const text = textOf(event['text']) ?? '';
    const part = indexIn(event, 'summary_index' in event ? 'summary_index' : 'content_index');
    switch (type) {
      case 'response.output_item.added':
        return this.items.begin(index, objectOf(event['item']));
      case 'response.output_item.done':
        return [...this.items.finish(index, objectOf(event['item'])), ...toolRun(objectOf(event['item']))];
      case 'response.output_text.delta': {
        const message = this.items.message(index);
        return [...(message?.text(part, delta) ?? []), ...(message?.logprobs(part, event['logprobs']) ?? [])];
      }
      case 'response.output_text.done':
        return this.items.message(index)?.textIs(part, text) ?? [];
      case 'response.output_text.annotation.added':
        return this.items.message(index)?.annotation(part, event['annotation']) ?? [];
      case 'response.refusal.delta':
        return this.items.message(index)?.refusal(part, delta) ?? [];
      case 'response.refusal.done':
        return this.items.message(index)?.refusalIs(part, textOf(event['refusal']) ?? '') ?? [];
      case 'response.reasoning_summary_text.delta':
        return this.items.reasoning(index)?.text('summary', part, delta) ?? [];
      case 'response.reasoning_summary_text.done':
        return this.items.reasoning(index)?.textIs('summary', part, text) ?? [];
      case 'response.reasoning_text.delta':
        return this.items.reasoning(index)?.text('content', part, delta) ?? [];
      case 'response.reasoning_text.done':
        return this.items.reasoning(index)?.textIs('content', part, text) ?? [];
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        return this.items.call(index)?.arguments(delta) ?? [];
      case 'response.function_call_arguments.done':
        return this.items.call(index)?.argumentsAre(textOf(event['arguments']) ?? '') ?? [];
      case 'response.custom_tool_call_input.done':
        return this.items.call(index)?.argumentsAre(textOf(event['input']) ?? '') ?? [];
      default:
        if (type.endsWith('.partial_image')) return looseEvents(partialImage(event));
        return type.endsWith('.delta') ? this.items.other(index, event['delta']) : [];
    }
  }
}

/** The event says that the response is over; its status says how. */
const isFailed = ({ status }: JsonObject): boolean => status === 'failed' || status === 'cancelled';

/** The status that the name of an event tells; undefined for Codex backends' other name of all of them. */
const toldBy = (type: string): string | undefined => (type === 'response.done' ? undefined : type.slice('response.'.length));

const indexIn = (event: JsonObject, field: string): number => (Number.isInteger(event[field]) ? (event[field] as number) : 0);

const startOf = ({ id, model }: JsonObject): ReplyEvent => ({ type: 'start', id: textOf(id), model: textOf(model) });

const usageOf = ({ usage: raw }: JsonObject, final: boolean): ReplyEvent[] =>
  isObject(raw) ? [{ type: 'usage', usage: readUsage(raw), raw, final }] : [];

const partialImage = ({ partial_image_b64 }: JsonObject): JsonObject => ({ partial_image_b64 });

/** Calls of tools that are the client's to run. */
const CLIENTS_OWN = /^(?:function|custom_tool|computer|local_shell|apply_patch|tool_search)_call$/;

/** An item that says the provider ran a tool of its own. */
function toolRun({ type }: JsonObject): ReplyEvent[] {
  const isRun = typeof type === 'string' && type.endsWith('_call') && !CLIENTS_OWN.test(type);
  return isRun ? [{ type: 'other', choice: 0, bytes: 0, images: 0, tool: type }] : [];
}

function endOf(response: JsonObject, hasCalls: boolean, told?: string): Extract<ReplyEvent, { type: 'finish' }> {
  const status = told ?? textOf(response['status']) ?? 'completed';
  const cause = textOf(objectOf(response['incomplete_details'])['reason']);
  const message = textOf(objectOf(response['error'])['message']);
  return {
    type: 'finish',
    choice: 0,
    reason: reasonOf(status, cause, hasCalls),
    native: status === 'incomplete' ? (cause ?? status) : status,
    ...(message !== null && { message }),
  };
}

function reasonOf(status: string, cause: string | null, hasCalls: boolean): FinishReason {
  switch (status) {
    case 'completed':
      return hasCalls ? 'tool_calls' : 'stop';
    case 'incomplete':
      return cause === 'content_filter' ? 'content_filter' : 'length';
    case 'failed':
    case 'cancelled':
      return 'error';
    default:
      throw new Error(`the response is ${status}, not finished`);
  }
}
