import type { ReplyEvent } from '../canonical.js';
import { noFacts, type ReplyFacts } from '../dialect.js';

/** Text and code average three to five; no long answer comes near this. */
export const MOST_BYTES_PER_TOKEN = 8;

/** Counts what a reply's events carry. */
export class Meter {
  readonly facts: ReplyFacts = noFacts();
  /** More came than the output limit allows. */
  overLimit = false;

  /** @param maxOutputTokens of all answers together. */
  constructor(private readonly maxOutputTokens: number) {}

  count(event: ReplyEvent): void {
    const { facts } = this;
    switch (event.type) {
      case 'start':
        facts.servedModel ??= event.model;
        return;
      case 'usage':
        facts.usage = event.usage ?? facts.usage;
        facts.usageRaw = event.raw;
        return;
      case 'finish':
        facts.finishReason ??= event.reason;
        return;
      case 'text':
      case 'refusal':
      case 'reasoning':
      case 'arguments':
        return this.countOutput(Buffer.byteLength(event.text));
      case 'tool_call':
        facts.outputBytes += event.name.length;
        return;
      default:
        return;
    }
  }

  /** Counts only what is certain, so that no honest answer is cut: a piece is a token at least, and tokens are eight bytes at most on average. */
  private countOutput(bytes: number): void {
    if (bytes === 0) return;
    const { facts } = this;
    facts.outputBytes += bytes;
    facts.outputPieces++;
    const tokens = Math.max(facts.outputPieces, Math.floor(facts.outputBytes / MOST_BYTES_PER_TOKEN));
    if (tokens <= this.maxOutputTokens) return;
    this.overLimit = true;
    facts.finishReason = 'length';
  }
}
