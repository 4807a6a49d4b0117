import type { ReplyEvent } from '../../canonical.js';
import { type Frame, NoAnswer, ProviderRefusal, type StreamDecoder } from '../../dialect.js';
import { isObject, type JsonObject, listOf, objectOf, readJson, textOf } from '../../kit/json.js';
import { errorIn, failureIn, inBandRefusal } from '../errors.js';
import { findUsage, isEmptyUsage, readUsage } from '../usage.js';
import { ChoiceDecoder } from './choice.js';

/** An index beyond it is none: OpenAI's own limit. */
const MAX_CHOICES = 128;

type Counted = Extract<ReplyEvent, { type: 'usage' }>;

/** Reads the chunks of a stream, and a whole answer as its only chunk. */
export class ChatDecoder implements StreamDecoder {
  private readonly choices = new Map<number, ChoiceDecoder>();
  private started = false;
  private done = false;
  private refusal: ProviderRefusal | null = null;
  private used = false;
  /** The last count, until more of an answer follows it. */
  private counted: Counted | null = null;

  get complete(): boolean {
    if (this.refusal || !this.started) return false;
    return this.done || this.isOver;
  }

  push(frame: Frame): ReplyEvent[] {
    if (this.refusal) throw this.refusal;
    if (this.done) return [];
    if (frame.data.trim() === '[DONE]') {
      this.done = true;
      return this.lastWord();
    }
    return this.pushChunk(readJson(frame.data));
  }

  /** Reads the data of an event. */
  pushChunk(chunk: unknown): ReplyEvent[] {
    if (this.refusal) throw this.refusal;
    if (this.done) return [];
    const error = failureIn(chunk);
    if (error) return this.refuse(new ProviderRefusal(inBandRefusal(error)), objectOf(chunk));
    if (!isObject(chunk)) throw new Error('a chunk that is no object');
    return this.read(chunk, 'delta');
  }

  end(): ReplyEvent[] {
    if (this.refusal) throw this.refusal;
    if (!this.complete) return [];
    // `[DONE]` may come where no reason came before.
    if (this.choices.size === 0) this.choices.set(0, new ChoiceDecoder(0));
    const ends = [...this.choices.values()].sort((a, b) => a.index - b.index).flatMap((choice) => choice.end());
    return [...this.lastWord(), ...ends];
  }

  /** @throws ProviderRefusal; anything else when it is no chat completion. */
  readAnswer(body: Buffer): ReplyEvent[] {
    const reply: unknown = readJson(body.toString());
    const error = failureIn(reply);
    if (error) throw new ProviderRefusal(inBandRefusal(error));
    if (!isObject(reply) || listOf(reply['choices']).length === 0) {
      const raw = isObject(reply) ? findUsage(reply) : null;
      throw new NoAnswer('the reply has no choices', readUsage(raw), raw);
    }
    const events = this.read(reply, 'message');
    this.done = true;
    return [...events, ...this.end()];
  }

  /** What was used until then is told first. */
  private refuse(refusal: ProviderRefusal, chunk: JsonObject): ReplyEvent[] {
    const usage = this.usageOf(chunk);
    if (!usage) throw refusal;
    this.refusal = refusal;
    return [{ ...usage, final: true }];
  }

  private read(chunk: JsonObject, kind: 'delta' | 'message'): ReplyEvent[] {
    const choices = listOf(chunk['choices']).filter(isObject);
    const events: ReplyEvent[] = [];
    const usage = this.usageOf(chunk);
    // Azure begins with a chunk that has neither id nor model nor choices.
    if (!this.started && (choices.length > 0 || usage)) events.push(this.start(chunk));
    for (const choice of choices) {
      const failure = errorIn(choice);
      if (failure) throw new ProviderRefusal(inBandRefusal(failure));
      const said = this.choice(choice).read(choice, kind);
      if (said.length > 0) this.counted = null;
      events.push(...said);
    }
    if (usage) {
      this.counted = usage;
      events.push({ ...usage, final: this.isOver });
    }
    return events;
  }

  /** Every answer that began has ended. */
  private get isOver(): boolean {
    return this.choices.size > 0 && [...this.choices.values()].every((choice) => choice.finish !== null);
  }

  /** Where nothing followed a count, and the stream is over, it was the final one. */
  private lastWord(): ReplyEvent[] {
    return this.counted ? [{ ...this.counted, final: true }] : [];
  }

  private start(chunk: JsonObject): ReplyEvent {
    this.started = true;
    return { type: 'start', id: textOf(chunk['id']) || null, model: textOf(chunk['model']) || null };
  }

  private choice(fields: JsonObject): ChoiceDecoder {
    const { index: given } = fields;
    const index = typeof given === 'number' && Number.isInteger(given) && given >= 0 && given < MAX_CHOICES ? given : 0;
    let choice = this.choices.get(index);
    if (!choice) {
      choice = new ChoiceDecoder(index);
      this.choices.set(index, choice);
    }
    return choice;
  }

  private usageOf(chunk: JsonObject): Counted | null {
    const raw = findUsage(chunk);
    if (raw === null) return null;
    const usage = readUsage(raw);
    if (this.used && isEmptyUsage(usage)) return null;
    this.used ||= usage !== null && !isEmptyUsage(usage);
    return { type: 'usage', usage, raw, final: false };
  }
}
