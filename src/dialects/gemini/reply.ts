import type { ReplyEvent } from '../canonical.js';
import { type Frame, NoAnswer, ProviderRefusal, type StreamDecoder } from '../dialect.js';
import { type JsonObject, listOf, objectOf, readJson, textOf, writeJson } from '../kit/json.js';
import { looseOutput } from '../kit/loose-output.js';
import { errorIn, refusalOf } from './errors.js';
import { finishReason } from './finish.js';
import { chatLogprobs } from './logprobs.js';
import { readUsage } from './usage.js';

type Finish = Extract<ReplyEvent, { type: 'finish' }>;

/** A whole reply, or a stream that came as one list. @throws when it is neither. */
export function decodeAnswer(body: Buffer): ReplyEvent[] {
  const reply: unknown = readJson(body.toString());
  const decoder = new GeminiDecoder();
  const events = (Array.isArray(reply) ? reply : [reply]).flatMap((chunk) => decoder.read(chunk));
  events.push(...decoder.end());
  if (!decoder.complete) {
    const told = events.findLast((event) => event.type === 'usage');
    throw new NoAnswer('the reply has no answer that ended', told?.usage ?? null, told?.raw);
  }
  return events;
}

/** Reads a reply chunk by chunk: each is a reply in small, with the usage so far. */
export class GeminiDecoder implements StreamDecoder {
  private started = false;
  private blocked: Finish | null = null;
  /** What the chunks so far told; a later one may leave out what an earlier one had. */
  private usage: JsonObject | null = null;
  private readonly candidates = new Map<number, Candidate>();

  /** Every answer that began has ended, or the prompt was refused. */
  get complete(): boolean {
    const candidates = [...this.candidates.values()];
    return candidates.length > 0 ? candidates.every(({ finish }) => finish !== null) : this.blocked !== null;
  }

  push({ data }: Frame): ReplyEvent[] {
    return this.read(readJson(data));
  }

  read(chunk: unknown): ReplyEvent[] {
    const error = errorIn(chunk);
    if (error) throw new ProviderRefusal(refusalOf(error));
    const reply = objectOf(chunk);
    const events = this.start(reply);
    for (const candidate of listOf(reply['candidates']).map(objectOf)) events.push(...this.candidate(candidate).read(candidate, reply));
    this.readFeedback(objectOf(reply['promptFeedback']));
    if (reply['usageMetadata'] != null) {
      this.usage = { ...this.usage, ...objectOf(reply['usageMetadata']) };
      events.push({ type: 'usage', usage: readUsage(this.usage, this.blocked !== null), raw: this.usage, final: this.complete });
    }
    return events;
  }

  /** An answer may still get text after it said why it ended, so that is told last. */
  end(): ReplyEvent[] {
    if (!this.complete) return [];
    const finishes = [...this.candidates.values()].flatMap(({ finish }) => finish ?? []);
    return finishes.length > 0 ? finishes : [this.blocked!];
  }

  private start({ responseId, modelVersion }: JsonObject): ReplyEvent[] {
    if (this.started) return [];
    this.started = true;
    return [{ type: 'start', id: textOf(responseId), model: textOf(modelVersion) }];
  }

  private candidate({ index }: JsonObject): Candidate {
    const choice = typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < MAX_CANDIDATES ? index : 0;
    const known = this.candidates.get(choice) ?? new Candidate(choice);
    this.candidates.set(choice, known);
    return known;
  }

  /** A refused prompt gets no answer, only the reason. */
  private readFeedback({ blockReason, blockReasonMessage }: JsonObject): void {
    const native = textOf(blockReason);
    if (native === null || native === '') return;
    const message = textOf(blockReasonMessage);
    this.blocked = { type: 'finish', choice: 0, reason: 'content_filter', native, ...(message !== null && { message }) };
  }
}

const MAX_CANDIDATES = 128;

/** One answer. */
class Candidate {
  finish: Finish | null = null;
  private calls = 0;
  private blocks = 0;
  /** The thought that goes on while thoughts follow each other. */
  private thought: number | null = null;

  constructor(private readonly choice: number) {}

  read(candidate: JsonObject, reply: JsonObject): ReplyEvent[] {
    this.readFinish(candidate, reply);
    const events = listOf(objectOf(candidate['content'])['parts']).flatMap((part) => this.part(objectOf(part)));
    const content = chatLogprobs(candidate['logprobsResult']);
    if (content.length > 0) events.push({ type: 'logprobs', choice: this.choice, content });
    return events;
  }

  /** A later chunk that gives no reason takes none back. */
  private readFinish({ finishReason: reason, finishMessage, ...candidate }: JsonObject, reply: JsonObject): void {
    const native = textOf(reason);
    if (native === null || native === '') return;
    const message = textOf(finishMessage);
    const reasonOfOurs = isContinued(candidate) || isContinued(reply) ? 'length' : finishReason(native);
    this.finish = { type: 'finish', choice: this.choice, reason: reasonOfOurs, native, ...(message !== null && { message }) };
  }

  private part(part: JsonObject): ReplyEvent[] {
    const { choice } = this;
    const { functionCall, inlineData, thoughtSignature } = part;
    const signature = textOf(thoughtSignature);
    if (functionCall != null) return this.call(objectOf(functionCall), signature);
    const text = textOf(part['text']) ?? '';
    if (part['thought'] === true) return this.thoughtPart(text, signature);
    const events: ReplyEvent[] = [];
    const { mimeType, data } = objectOf(inlineData);
    if (typeof mimeType === 'string' && mimeType.startsWith('image/') && typeof data === 'string')
      events.push({ type: 'image', choice, mediaType: mimeType, data });
    else events.push(...this.other(part));
    if (text !== '') events.push({ type: 'text', choice, text });
    if (events.length > 0) this.thought = null;
    // It may stand on an empty text, at the very end.
    if (signature !== null) events.push(this.state(this.blocks++, signature));
    return events;
  }

  /** Code that the provider runs itself, sound, and kinds to come. */
  private other({ text: _text, thought: _thought, thoughtSignature: _signature, inlineData, ...said }: JsonObject): ReplyEvent[] {
    const { bytes, images } = looseOutput({ ...said, audio: inlineData });
    return bytes + images === 0 ? [] : [{ type: 'other', choice: this.choice, bytes, images }];
  }

  /** Calls come whole. */
  private call({ id, name, args }: JsonObject, signature: string | null): ReplyEvent[] {
    // What a failed answer calls may not exist.
    if (this.finish?.reason === 'error') return [];
    const { choice } = this;
    this.thought = null;
    const call = this.calls++;
    return [
      { type: 'tool_call', choice, call, id: textOf(id), name: textOf(name) ?? '', ...(signature !== null && { signature }) },
      { type: 'arguments', choice, call, text: writeJson(args ?? {}) },
    ];
  }

  private thoughtPart(text: string, signature: string | null): ReplyEvent[] {
    this.thought ??= this.blocks++;
    const block = this.thought;
    const events: ReplyEvent[] = text === '' ? [] : [{ type: 'reasoning', choice: this.choice, block, text }];
    return signature === null ? events : [...events, this.state(block, signature)];
  }

  private state(block: number, signature: string): ReplyEvent {
    return { type: 'reasoning_state', choice: this.choice, block, origin: 'gemini', signature, redacted: null, id: null };
  }
}

/** A long answer ends at the limit of one reply, with a token to go on from. */
const isContinued = (object: JsonObject): boolean => Boolean(object['continuationToken'] ?? object['continuation_token']);
