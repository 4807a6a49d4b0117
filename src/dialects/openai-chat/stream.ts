import type { Usage } from '../../kernel/usage.js';
import type { Prompt, Refusal, ReplyFacts, StreamReader } from '../dialect.js';
import { eachString } from '../kit/json-scan.js';
import { eventData, SseSplitter } from '../kit/sse.js';
import { errorIn, refusalOf } from './errors.js';
import { encodeUsage, findUsage, readUsage } from './usage.js';

const DONE = Buffer.from('data: [DONE]\n\n');
const COMMON_NULL_USAGE = ',"usage":null';
const NULL_USAGE = /,\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,/;
const MODEL = /"model"\s*:\s*"([^"]*)"/;
/** Where a model's output stands in a delta. */
const OUTPUT_KEYS = ['"content"', '"reasoning_content"', '"reasoning"', '"refusal"', '"arguments"'];
/** Text and code average three to five; no long answer comes near this. */
const MOST_BYTES_PER_TOKEN = 8;
/** A terminator and blanks some send after it. */
const MAX_DONE_LENGTH = 16;

/**
 * Reads a chat stream while its events pass verbatim. Parses only what carries usage or an error; `[DONE]` and the usage chunk are the
 * tail, which the gateway writes once the call is booked.
 */
export class ChatStreamReader implements StreamReader {
  readonly facts: ReplyFacts = { usage: null, usageRaw: null, finishReason: null, servedModel: null, outputBytes: 0, outputPieces: 0 };
  refusal: Refusal | null = null;
  overLimit = false;
  /** The chunk that carried usage and no choices, as the provider sent it. */
  usageChunk: Record<string, unknown> | null = null;

  private readonly splitter = new SseSplitter();
  private head: { id?: string; created?: number } = {};
  private usagePassed = false;
  private done = false;
  private finished = 0;
  private progressed = false;
  private out: Buffer[] = [];
  private runBuffer: Buffer | null = null;
  private runStart = 0;
  private runEnd = 0;

  constructor(
    private readonly prompt: Prompt,
    private readonly maxOutputTokens: number,
  ) {}

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

  push(chunk: Buffer): Buffer[] {
    this.splitter.push(chunk, this.visit);
    return this.takeOut();
  }

  finish(): Buffer[] {
    this.splitter.finish(this.visit);
    return this.takeOut();
  }

  tail(usage: Usage, costUsd: number | null): Buffer {
    const finish = this.overLimit ? this.finishByLength() : '';
    if (!this.prompt.includeUsage || this.usagePassed) return finish === '' ? DONE : Buffer.from(`${finish}${DONE}`);
    const chunk = this.usageChunk ?? { ...this.head, object: 'chat.completion.chunk', model: this.facts.servedModel, choices: [] };
    const shown = (this.facts.usage ? this.facts.usageRaw : encodeUsage(usage)) as object;
    return Buffer.from(
      `${finish}data: ${JSON.stringify({ ...chunk, usage: costUsd === null ? shown : { ...shown, cost: costUsd } })}\n\n${DONE}`,
    );
  }

  private readonly visit = (buffer: Buffer, start: number, end: number): void => {
    // What follows [DONE], an error or the limit is read to the end and thrown away.
    if (this.done || this.refusal || this.overLimit) return;
    const text = buffer.toString('latin1', start, end);
    const data = eventData(text);
    if (data === null) return this.pass(buffer, start, end);
    this.progressed = true;
    if (data.length <= MAX_DONE_LENGTH && data.trimEnd() === '[DONE]') {
      this.done = true;
      return;
    }
    if (data.includes('"error"')) {
      const error = errorIn(parse(data));
      if (error) {
        this.refusal = refusalOf(Number(error.status_code ?? error.status ?? error.code) || 500, error);
        return;
      }
    }
    this.meter(data);
    if (!data.includes('"usage"')) return this.pass(buffer, start, end);
    const common = text.indexOf(COMMON_NULL_USAGE);
    if (common !== -1 || NULL_USAGE.test(data)) {
      if (this.prompt.includeUsage) return this.pass(buffer, start, end);
      if (common === -1) return this.replace(Buffer.from(text.replace(NULL_USAGE, ''), 'latin1'));
      this.pass(buffer, start, start + common);
      return this.pass(buffer, start + common + COMMON_NULL_USAGE.length, end);
    }
    this.readUsageEvent(data, buffer, start, end);
  };

  private readUsageEvent(data: string, buffer: Buffer, start: number, end: number): void {
    const chunk = parse(data);
    const raw = findUsage(chunk);
    const usage = readUsage(raw);
    if (raw === null) return this.pass(buffer, start, end);
    if (usage) this.facts.usage = usage;
    this.facts.usageRaw = raw;
    const choices = chunk['choices'];
    if (Array.isArray(choices) && choices.length === 0) {
      this.usageChunk = chunk;
      return;
    }
    if (this.prompt.includeUsage) {
      this.usagePassed = true;
      return this.pass(buffer, start, end);
    }
    const { usage: _hidden, ...rest } = chunk;
    this.replace(Buffer.from(`data: ${JSON.stringify(rest)}\n\n`));
  }

  private meter(data: string): void {
    if (this.facts.servedModel === null) this.readHead(data);
    const before = this.facts.outputBytes;
    for (const key of OUTPUT_KEYS) eachString(data, key, this.countOutput);
    if (this.facts.outputBytes > before) this.meterOutput();
    eachString(data, '"finish_reason"', (start, end) => {
      // Some send an empty reason with every chunk.
      if (end === start) return;
      this.finished++;
      this.facts.finishReason = data.slice(start, end);
    });
  }

  /** Counts only what is certain, so that no honest answer is cut: a piece is a token at least, and tokens are eight bytes at most on average. */
  private meterOutput(): void {
    this.facts.outputPieces++;
    const tokens = Math.max(this.facts.outputPieces, Math.floor(this.facts.outputBytes / MOST_BYTES_PER_TOKEN));
    if (tokens <= this.maxOutputTokens) return;
    this.overLimit = true;
    this.facts.finishReason = 'length';
  }

  private finishByLength(): string {
    const choices = Array.from({ length: this.prompt.choices }, (_, index) => ({ index, delta: {}, finish_reason: 'length' }));
    return `data: ${JSON.stringify({ ...this.head, object: 'chat.completion.chunk', model: this.facts.servedModel, choices })}\n\n`;
  }

  private readonly countOutput = (start: number, end: number): void => {
    this.facts.outputBytes += end - start;
  };

  private readHead(data: string): void {
    this.facts.servedModel = MODEL.exec(data)?.[1] ?? null;
    const { id, created } = parse(data) as { id?: string; created?: number };
    this.head = { id, created };
  }

  /** Neighbouring events that pass verbatim leave as one slice. */
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

/** Data arrives as latin1 text, bytes apart; JSON is UTF-8. */
function parse(data: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(data, 'latin1').toString());
}
