import type { WeirError } from '../../kernel/errors.js';
import { eachString } from '../../kernel/json-scan.js';
import type { Work } from '../../kernel/slices.js';
import { largerUsage, type Usage } from '../../kernel/usage.js';
import { type CallRequest, noFacts, type Refusal, type ReplyFacts, type StreamReader, type TokensOf } from '../dialect.js';
import { isKeepAlive, joinedEvents } from '../kit/frames.js';
import { withoutCost } from '../kit/hidden-cost.js';
import { isObject, type JsonObject, listOf, objectOf, parsed, readJson, writeJson } from '../kit/json.js';
import { oneByOne } from '../kit/long-text.js';
import { looseOutput } from '../kit/loose-output.js';
import { denseTokens, leastTokens } from '../kit/meter.js';
import { isComment } from '../kit/readers.js';
import { eventData, SseSplitter } from '../kit/sse.js';
import { encodeError, errorIn, failureIn, inBandRefusal } from './errors.js';
import { StreamNormalizer } from './normalize.js';
import { encodeUsage, findUsage, isEmptyUsage, readUsage } from './usage.js';

const DONE = Buffer.from('data: [DONE]\n\n');
const COMMON_NULL_USAGE = ',"usage":null';
const NULL_USAGE = /,\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,/;
const MODEL = /"model"\s*:\s*"([^"]*)"/;
/** A chunk that says more than who speaks, a text and why it ends. */
const MORE =
  /"delta"\s*:\s*\{[^}]*"(?!role"|content"|refusal"|reasoning"|reasoning_content"|tool_calls"\s*:\s*null|function_call"\s*:\s*null)\w+"\s*:\s*[[{"]/;
/** To look for more in a longer chunk takes as long as to read it, and may take far longer. */
const LONG_FOR_LOOK = 4_000;
/** In latin1, or escaped. */
const BEYOND_ASCII = /[\x80-\xff]|\\u/;
/** A longer chunk is a picture, and too much work to write anew. */
const LONG_CHUNK = 1024 * 1024;
/** A terminator and blanks some send after it. */
const MAX_DONE_LENGTH = 16;

/** What tells the streams of OpenAI's two completion formats apart. */
export interface StreamShape {
  object: string;
  /** Where a model's output stands in a chunk. */
  outputKeys: readonly string[];
  /** An answer that said nothing more. */
  empty: Readonly<Record<string, unknown>>;
}

const CHAT: StreamShape = {
  object: 'chat.completion.chunk',
  outputKeys: ['"content"', '"refusal"', '"arguments"'],
  empty: { delta: {} },
};
/** Some say their reasoning under both names. */
const REASONING_KEYS = ['"reasoning_content"', '"reasoning"'];

/**
 * Reads a stream of chat chunks while its events pass verbatim. Parses only what carries usage or an error; `[DONE]` and the usage chunk are the
 * tail, which the gateway writes once the call is booked.
 */
export class ChatStreamReader implements StreamReader {
  readonly facts: ReplyFacts = noFacts();
  refusal: Refusal | null = null;
  overLimit = false;
  /** The chunk that carried usage and no choices, as the provider sent it. */
  usageChunk: Record<string, unknown> | null = null;

  private readonly splitter = new SseSplitter();
  private head: { id?: string; created?: number } = {};
  /** The provider's count as the client may see it. */
  private shownUsage: unknown = null;
  private usagePassed = false;
  /** A count came, and nothing of an answer since. */
  private countedLast = false;
  private done = false;
  private finished = 0;
  /** The data that is being metered. */
  private scanned = '';
  /** Of the bytes of output, those that count towards the limit. */
  private certainBytes = 0;
  private progressed = false;
  private out: Buffer[] = [];
  private runBuffer: Buffer | null = null;
  private runStart = 0;
  private runEnd = 0;
  private readonly normalizer: StreamNormalizer | null;

  constructor(
    private readonly prompt: CallRequest,
    private readonly maxOutputTokens: number,
    private readonly shape: StreamShape = CHAT,
    private readonly tokensOf?: TokensOf,
  ) {
    this.normalizer = shape === CHAT ? new StreamNormalizer(prompt.choices, this.idForCall) : null;
  }

  get complete(): boolean {
    return (
      this.refusal === null && (this.overLimit || this.finished >= this.prompt.choices || (this.done && this.facts.servedModel !== null))
    );
  }

  takeProgress(): boolean {
    const progressed = this.progressed;
    this.progressed = false;
    return progressed;
  }

  *push(chunk: Buffer): Work<Buffer[]> {
    for (const event of oneByOne<EventBytes>((visit) => this.splitter.push(chunk, (...bytes) => visit(bytes)))) yield* this.visit(...event);
    return this.takeOut();
  }

  *finish(): Work<Buffer[]> {
    for (const event of oneByOne<EventBytes>((visit) => this.splitter.finish((...bytes) => visit(bytes)))) {
      const [buffer, start, end] = event;
      // What lacks its end may lack more: half an event is nothing to a client, and would swallow the one that follows.
      if (isWhole(eventData(buffer.toString('latin1', start, end)))) yield* this.visit(...event);
    }
    if (this.complete && this.countedLast) this.facts.usageIsFinal = true;
    return this.takeOut();
  }

  tail(usage: Usage, costUsd: number | null): Buffer {
    const finish = this.overLimit ? this.finishByLength() : this.finishUnfinished();
    if (!this.prompt.includeUsage || this.usagePassed) return finish === '' ? DONE : Buffer.from(`${finish}${DONE}`);
    const chunk = this.usageChunk ?? { ...this.head, object: this.shape.object, model: this.facts.servedModel, choices: [] };
    const shown = (this.facts.usage ? this.shownUsage : encodeUsage(usage)) as object;
    return Buffer.from(
      `${finish}data: ${JSON.stringify({ ...chunk, usage: costUsd === null ? shown : { ...shown, cost: costUsd } })}\n\n${DONE}`,
    );
  }

  failure(error: WeirError): Buffer {
    return Buffer.from(`data: ${JSON.stringify(encodeError(error))}\n\n`);
  }

  private *visit(buffer: Buffer, start: number, end: number, straight = false): Work<void> {
    // What follows [DONE], an error or the limit is read to the end and thrown away.
    if (this.done || this.refusal || this.overLimit) return;
    const text = buffer.toString('latin1', start, end);
    const data = eventData(text);
    if (data === null) return isComment(text) ? this.pass(buffer, start, end) : undefined;
    if (isKeepAlive(data)) return;
    const joined = joinedEvents(data);
    if (joined) {
      for (const one of joined) yield* this.visitData(one);
      return;
    }
    this.progressed = true;
    if (isDone(data)) {
      this.done = true;
      // Where nothing followed a count, and the stream is over, it was the final one.
      if (this.countedLast) this.facts.usageIsFinal = true;
      return;
    }
    // Half a chunk is nothing to a client: its SDK would fail on it.
    if (!data.trimEnd().endsWith('}')) throw new Error('a chunk that is no object');
    const normalizer = straight || data.length > LONG_CHUNK ? null : this.normalizer;
    if (normalizer?.mayDiffer(data)) {
      const given = parse(data) as { id?: string; created?: number } & JsonObject;
      // Ids that are made here are made of the reply's own.
      if (this.head.id === undefined) this.head = { id: given.id, created: given.created };
      const chunk = normalizer.normalize(given);
      if (chunk) {
        const event = Buffer.from(`data: ${writeJson(chunk)}\n\n`);
        return yield* this.visit(event, 0, event.length, true);
      }
    }
    if (data.includes('"error"') || !data.includes('"choices"')) {
      const chunk = parse(data);
      const error = failureIn(chunk) ?? errorIn(listOf(chunk['choices'])[0]);
      if (error) {
        this.facts.usageIsFinal = this.readUsage(chunk);
        this.refusal = inBandRefusal(error);
        return;
      }
    }
    yield* this.meter(data);
    const shown = this.prompt.hidesCost ? withoutCost(data) : data;
    if (shown === data) return this.passMetered(data, text, buffer, start, end);
    const { usageRaw } = this.facts;
    const event = `data: ${shown}\n\n`;
    this.passMetered(shown, event, Buffer.from(event, 'latin1'), 0, event.length);
    // What the provider takes is booked all the same.
    if (this.facts.usageRaw !== usageRaw) this.facts.usageRaw = findUsage(parse(data));
  }

  private passMetered(data: string, text: string, buffer: Buffer, start: number, end: number): void {
    if (!data.includes('"usage"')) return this.pass(buffer, start, end);
    const common = text.indexOf(COMMON_NULL_USAGE);
    if (common !== -1 || NULL_USAGE.test(data)) {
      if (this.prompt.includeUsage) return this.pass(buffer, start, end);
      if (common === -1) return this.replace(Buffer.from(text.replace(NULL_USAGE, ''), 'latin1'));
      this.pass(buffer, start, start + common);
      return this.pass(buffer, start + common + COMMON_NULL_USAGE.length, end);
    }
    this.readUsageEvent(data, buffer, start, end);
  }

  private *visitData(data: string): Work<void> {
    const event = Buffer.from(`data: ${data}\n\n`, 'latin1');
    yield* this.visit(event, 0, event.length);
  }

  private readUsageEvent(data: string, buffer: Buffer, start: number, end: number): void {
    const chunk = parse(data);
    if (!this.readUsage(chunk)) return this.pass(buffer, start, end);
    const { usage, ...rest } = chunk;
    const { choices } = rest;
    if (Array.isArray(choices) && choices.length === 0) {
      this.usageChunk = chunk;
      return;
    }
    // In an extension of the provider's own it stays where it is.
    if (usage === undefined || usage === null) return this.pass(buffer, start, end);
    if (this.prompt.includeUsage) {
      this.usagePassed = true;
      return this.pass(buffer, start, end);
    }
    this.replace(Buffer.from(`data: ${writeJson(rest)}\n\n`));
  }

  /** False: there is none. */
  private readUsage(chunk: Record<string, unknown>): boolean {
    const raw = findUsage(chunk);
    if (raw === null) return false;
    const usage = readUsage(raw);
    if (this.facts.usage && isEmptyUsage(usage)) return true;
    this.facts.usage = usage && this.facts.usage ? largerUsage(this.facts.usage, usage) : (usage ?? this.facts.usage);
    this.facts.usageIsFinal = usage !== null && !isEmptyUsage(usage) && this.finished >= this.prompt.choices;
    this.countedLast = usage !== null && !isEmptyUsage(usage);
    this.facts.usageRaw = raw;
    this.shownUsage = raw;
    return true;
  }

  private *meter(data: string): Work<void> {
    this.facts.begun = true;
    if (this.facts.servedModel === null) this.readHead(data);
    const before = this.facts.outputBytes;
    this.scanned = data;
    // What stands before them is most of a chunk, and says nothing of the answers.
    const from = Math.max(0, data.indexOf('"choices"'));
    for (const key of this.shape.outputKeys) eachString(data, key, this.countOutput, from);
    const answered = this.facts.outputBytes;
    for (const key of REASONING_KEYS) if (this.facts.outputBytes === answered) eachString(data, key, this.countOutput, from);
    // Mistral's thinking stands in a list of texts.
    if (data.includes('"thinking"', from)) eachString(data, '"text"', this.countOutput, from);
    const counted = this.facts.outputBytes - before;
    if (counted > 0) this.meterOutput(counted);
    const isLong = data.length > LONG_CHUNK;
    if (isLong) yield;
    if (data.length > LONG_FOR_LOOK || MORE.test(data)) this.meterLoosely(data, counted);
    if (isLong) yield;
    const finish = (start: number, end: number): void => {
      // Some send an empty reason with every chunk.
      if (end === start) return;
      this.finished++;
      this.facts.finishReason = data.slice(start, end);
    };
    eachString(data, '"finish_reason"', finish, from);
  }

  /** Counts only what is certain, so that no honest answer is cut. */
  private meterOutput(bytes: number): void {
    this.countedLast = false;
    this.certainBytes += bytes;
    this.facts.outputPieces++;
    if (leastTokens(this.facts.outputPieces, this.certainBytes) <= this.maxOutputTokens) return;
    this.overLimit = true;
    this.facts.finishReason = 'length';
  }

  /** Images, sound, sealed reasoning, names of tools, and kinds to come. @param counted bytes of the chunk's output that are counted already. */
  private meterLoosely(data: string, counted: number): void {
    const { bytes, images } = looseOutput(listOf(parse(data)['choices']).map((choice) => unrepeated(objectOf(objectOf(choice)['delta']))));
    if (bytes + images > 0) this.countedLast = false;
    this.facts.outputBytes += Math.max(0, bytes - counted);
    this.facts.outputImages += images;
  }

  private finishByLength(): string {
    return this.chunk(Array.from({ length: this.prompt.choices }, (_, index) => ({ index, ...this.shape.empty, finish_reason: 'length' })));
  }

  /** The provider said that the stream is over, and not how the answers ended. */
  private finishUnfinished(): string {
    const ends = this.normalizer?.ends() ?? [];
    return ends.length === 0 ? '' : this.chunk(ends);
  }

  private chunk(choices: object[]): string {
    return `data: ${JSON.stringify({ ...this.head, object: this.shape.object, model: this.facts.servedModel, choices })}\n\n`;
  }

  private readonly idForCall = (choice: number, call: number): string =>
    `call_${(this.head.id ?? '').replace(/\W/g, '')}${choice === 0 ? '' : `c${choice}`}n${call}`;

  private readonly countOutput = (start: number, end: number): void => {
    this.facts.outputBytes += end - start;
    if (this.tokensOf && BEYOND_ASCII.test(this.scanned.slice(start, end))) this.countDense(this.scanned.slice(start, end));
  };

  private countDense(bytes: string): void {
    const text = parsed(`"${Buffer.from(bytes, 'latin1').toString()}"`);
    if (typeof text === 'string') this.facts.outputDense += denseTokens(text, bytes.length, this.tokensOf);
  }

  private readHead(data: string): void {
    // Azure's first chunk has an empty one.
    this.facts.servedModel = MODEL.exec(data)?.[1] || null;
    if (data.length > LONG_CHUNK) return;
    const { id, created } = parse(data) as { id?: string; created?: number };
    this.head = { id, created };
  }

  /** Neighboring events that pass verbatim leave as one slice. */
  private pass(buffer: Buffer, start: number, end: number): void {
    if (this.runBuffer === buffer && this.runEnd === start) {
      this.runEnd = end;
      return;
    }
    this.closeRun();
    [this.runBuffer, this.runStart, this.runEnd] = [buffer, start, end];
  }

  private replace(bytes: Buffer): void {
    this.closeRun();
    this.out.push(bytes);
  }

  private closeRun(): void {
    if (this.runBuffer) this.out.push(this.runBuffer.subarray(this.runStart, this.runEnd));
    this.runBuffer = null;
  }

  private takeOut(): Buffer[] {
    this.closeRun();
    const out = this.out;
    this.out = [];
    // One write to the client, however many pieces it takes.
    return out.length > 1 ? [Buffer.concat(out)] : out;
  }
}

type EventBytes = [buffer: Buffer, start: number, end: number];

/** What is said twice, under two names, is output once. */
function unrepeated(delta: JsonObject): JsonObject {
  const { reasoning, reasoning_content: content, reasoning_details: details, ...said } = delta;
  const text = content || reasoning;
  const pieces = text ? listOf(details).map((piece) => ({ ...objectOf(piece), text: null, summary: null })) : details;
  return { ...said, text, pieces };
}

const isDone = (data: string): boolean => data.length <= MAX_DONE_LENGTH && data.trimEnd() === '[DONE]';

const isWhole = (data: string | null): boolean =>
  data !== null && (isDone(data) || parsed(data) !== undefined || joinedEvents(data) !== null);

/** Data arrives as latin1 text, bytes apart; JSON is UTF-8. */
function parse(data: string): JsonObject {
  const chunk = readJson(Buffer.from(data, 'latin1').toString());
  if (!isObject(chunk)) throw new Error('a chunk that is no object');
  return chunk;
}
