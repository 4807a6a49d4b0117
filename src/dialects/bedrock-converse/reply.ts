import type { FinishReason, ReplyEvent } from '../canonical.js';
import { type Frame, NoAnswer, ProviderRefusal, type StreamDecoder } from '../dialect.js';
import { argumentsText } from '../kit/arguments-text.js';
import { isObject, type JsonObject, listOf, objectOf, readJson, textOf } from '../kit/json.js';
import { looseOutput } from '../kit/loose-output.js';
import { table } from '../kit/table.js';
import { refusalOf } from './errors.js';
import { readUsage } from './usage.js';

const CHOICE = 0;
const START: ReplyEvent = { type: 'start', id: null, model: null };

const FINISHES = table<FinishReason>({
  end_turn: 'stop',
  stop_sequence: 'stop',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  guardrail_intervened: 'content_filter',
  content_filtered: 'content_filter',
  malformed_model_output: 'error',
  malformed_tool_use: 'error',
});

/** Reads the reply of Converse. */
export function decodeAnswer(body: Buffer): ReplyEvent[] {
  const reply = objectOf(readJson(body.toString()));
  const message = objectOf(reply['output'])['message'];
  if (!isObject(message)) {
    const { usage } = reply;
    throw new NoAnswer('the reply has no message', isObject(usage) ? readUsage(usage) : null, usage);
  }
  const events: ReplyEvent[] = [START];
  let call = 0;
  for (const [block, value] of listOf(message['content']).entries()) {
    const content = objectOf(value);
    const toolUse = calledTool(content['toolUse']);
    if (!toolUse) events.push(...contentEvents(content, block));
    else events.push(toolCall(toolUse, call), { type: 'arguments', choice: CHOICE, call: call++, text: argumentsText(toolUse['input']) });
  }
  events.push(...usageEvents(reply['usage'], true), finishEvent(reply));
  return events;
}

/** Reads the events of ConverseStream. The usage follows the stop, so the finish is given out with it, or at the end without. */
export class ConverseDecoder implements StreamDecoder {
  /** Blocks of calls whose arguments have begun. */
  private readonly said = new Set<unknown>();
  private readonly calls = new Map<unknown, number>();
  private stop: ReplyEvent | null = null;
  private finished = false;

  get complete(): boolean {
    return this.stop !== null;
  }

  push({ event, data }: Frame): ReplyEvent[] {
    const body = objectOf(readJson(data));
    const [kind, type] = event?.split(':') ?? [];
    if (kind === 'exception' || kind === 'error') throw new ProviderRefusal(refusalOf(type ?? null, null, body));
    switch (event) {
      case 'messageStart':
        return [START];
      case 'contentBlockStart':
        return this.begin(body);
      case 'contentBlockDelta':
        return this.goOn(body);
      case 'contentBlockStop':
        return this.endBlock(body['contentBlockIndex']);
      case 'messageStop':
        this.stop = finishEvent(body);
        return [];
      case 'metadata':
        return [...usageEvents(body['usage'], this.stop !== null), ...this.finish()];
      default:
        return [];
    }
  }

  end(): ReplyEvent[] {
    return this.finish();
  }

  private begin(body: JsonObject): ReplyEvent[] {
    const toolUse = calledTool(objectOf(body['start'])['toolUse']);
    if (!toolUse) return [];
    const call = this.calls.size;
    this.calls.set(body['contentBlockIndex'], call);
    return [toolCall(toolUse, call)];
  }

  /** A call that said nothing by the end of its block has no arguments. */
  private endBlock(block: unknown): ReplyEvent[] {
    const call = this.calls.get(block);
    return call === undefined || this.said.has(block) ? [] : [{ type: 'arguments', choice: CHOICE, call, text: '{}' }];
  }

  private goOn(body: JsonObject): ReplyEvent[] {
    const delta = objectOf(body['delta']);
    const block = body['contentBlockIndex'];
    const call = this.calls.get(block);
    if (call !== undefined && isObject(delta['toolUse'])) {
      const text = argumentsText(delta['toolUse']['input']);
      if (text !== '') this.said.add(block);
      return [{ type: 'arguments', choice: CHOICE, call, text }];
    }
    return contentEvents(delta, typeof block === 'number' ? block : 0);
  }

  private finish(): ReplyEvent[] {
    if (this.stop === null || this.finished) return [];
    this.finished = true;
    return [this.stop];
  }
}

/** A call for the client to make; null for one that Bedrock makes itself. */
const calledTool = (value: unknown): JsonObject | null => (isObject(value) && value['type'] !== 'server_tool_use' ? value : null);

const toolCall = (toolUse: JsonObject, call: number): ReplyEvent => ({
  type: 'tool_call',
  choice: CHOICE,
  call,
  id: textOf(toolUse['toolUseId']),
  name: textOf(toolUse['name']) ?? '',
});

/** What a whole block and a piece of one have in common. */
function contentEvents(content: JsonObject, block: number): ReplyEvent[] {
  if (isObject(content['reasoningContent'])) return reasoningEvents(content['reasoningContent'], block);
  const cited = objectOf(content['citationsContent']);
  const texts = [content['text'], ...listOf(cited['content']).map((part) => objectOf(part)['text'])];
  const citations = [...listOf(cited['citations']), ...(content['citation'] === undefined ? [] : [content['citation']])];
  return [
    ...texts
      .filter((text) => typeof text === 'string' && text !== '')
      .map((text) => ({ type: 'text', choice: CHOICE, text }) as ReplyEvent),
    ...citations.flatMap(citationEvents),
    ...otherEvents(content),
  ];
}

/** What the provider's own tools are given, and kinds to come. */
function otherEvents({ text: _text, citationsContent: _cited, citation: _citation, ...said }: JsonObject): ReplyEvent[] {
  const { bytes, images } = looseOutput(said);
  return bytes + images === 0 ? [] : [{ type: 'other', choice: CHOICE, bytes, images }];
}

/** A whole block has its text and signature one level further down than a piece of one. */
function reasoningEvents(content: JsonObject, block: number): ReplyEvent[] {
  const { text, signature } = isObject(content['reasoningText']) ? content['reasoningText'] : content;
  const { redactedContent } = content;
  const events: ReplyEvent[] = [];
  if (typeof text === 'string' && text !== '') events.push({ type: 'reasoning', choice: CHOICE, block, text });
  if (typeof signature === 'string' || typeof redactedContent === 'string')
    events.push({
      type: 'reasoning_state',
      choice: CHOICE,
      block,
      // Of all models on Bedrock only Claude signs.
      origin: 'anthropic',
      signature: textOf(signature),
      // Anthropic's own text, as bytes.
      redacted: typeof redactedContent === 'string' ? Buffer.from(redactedContent, 'base64').toString('latin1') : null,
      id: null,
    });
  return events;
}

function citationEvents(value: unknown): ReplyEvent[] {
  const citation = objectOf(value);
  const url = textOf(objectOf(objectOf(citation['location'])['web'])['url']);
  if (url === null) return [];
  return [{ type: 'annotation', choice: CHOICE, annotation: { url, title: textOf(citation['title']), start: null, end: null } }];
}

const usageEvents = (raw: unknown, final: boolean): ReplyEvent[] =>
  isObject(raw) ? [{ type: 'usage', usage: readUsage(raw), raw, final }] : [];

function finishEvent(stopped: JsonObject): ReplyEvent {
  const native = textOf(stopped['stopReason']);
  const additional = objectOf(stopped['additionalModelResponseFields']);
  const stopSequence = textOf(additional['stop_sequence']) ?? textOf(objectOf(additional['delta'])['stop_sequence']);
  return {
    type: 'finish',
    choice: CHOICE,
    reason: FINISHES[native ?? ''] ?? 'stop',
    native,
    ...(stopSequence !== null && { stopSequence }),
  };
}
