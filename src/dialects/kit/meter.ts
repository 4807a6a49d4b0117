import { inputTotal, largerUsage, outputTotal, type Usage } from '../../kernel/usage.js';
import type { ReplyEvent } from '../canonical.js';
import { noFacts, type Refusal, type RefusalClass, type ReplyFacts, type TokensOf } from '../dialect.js';

/** Text and code average three to five; no long answer comes near this. */
const MAX_BYTES_PER_TOKEN = 8;
/** Pieces that are shorter on average may be parts of tokens: some send letter by letter. */
const MIN_BYTES_PER_PIECE = 4;

/** The fewest tokens that so much output can be: no honest answer has more. */
export const leastTokens = (pieces: number, bytes: number): number =>
  Math.max(bytes >= MIN_BYTES_PER_PIECE * pieces ? pieces : 0, Math.floor(bytes / MAX_BYTES_PER_TOKEN));

/** Text and code average three to five bytes to a token: fewer, so that the count is hardly too low. */
export const METERED_BYTES_PER_TOKEN = 3;

/** Of gpt-image-1 at high quality with 1536x1024 pixels: developers.openai.com/api/docs/guides/image-generation, read 2026-11-28. */
export const IMAGE_TOKENS = 6_240;

/** The tokens of an answer by our own meter. A piece is a token at least. */
export const meteredTokens = ({ outputBytes, outputPieces, outputImages, outputDense }: ReplyFacts): number =>
  Math.max(Math.ceil(outputBytes / METERED_BYTES_PER_TOKEN + outputDense), outputPieces) + outputImages * IMAGE_TOKENS;

/** Whether a provider's count can be right. Some that do not count say 0. Only a prompt that was refused may have been read for nothing. */
export function isCredible(usage: Usage, facts: ReplyFacts): boolean {
  const hasOutput = meteredTokens(facts) > 0;
  const output = outputTotal(usage);
  if (output === 0 && hasOutput) return false;
  return inputTotal(usage) > 0 || (output === 0 && facts.finishReason === 'content_filter');
}

/** Whether a provider counted anything. */
export const isCounted = ({ usage }: ReplyFacts): boolean => usage !== null && inputTotal(usage) + outputTotal(usage) > 0;

/** Classes by which a provider says that it did not begin. */
const NOT_BEGUN: ReadonlySet<RefusalClass> = new Set<RefusalClass>([
  'auth',
  'billing',
  'rate_limit',
  'model_not_found',
  'context_length',
  'too_large',
  'unprocessable',
  'bad_request',
  'overloaded',
]);

/**
 * Whether a failure that came with status 200 leaves something to be billed. It does not where it is all that came, as if it had come with a
 * status of its own, or where the provider says that it did not begin, and there is neither output nor a count.
 */
export function isBilled(refusal: Refusal, facts: ReplyFacts): boolean {
  if (meteredTokens(facts) > 0 || isCounted(facts)) return true;
  return refusal.class === 'failed_answer' || (facts.begun && !NOT_BEGUN.has(refusal.class));
}

/** Longer pieces keep the count by their bytes: a tokenizer must not hold up other calls. */
const MAX_CHARACTERS = 4_000;

/** Tokens of a text beyond what its bytes make. Plain text has none, and is not counted: scripts beyond ASCII may. */
export function denseTokens(text: string, bytes: number, tokensOf: TokensOf | undefined): number {
  if (!tokensOf || bytes === text.length || text.length > MAX_CHARACTERS) return 0;
  return Math.max(0, tokensOf(text) - bytes / METERED_BYTES_PER_TOKEN);
}

/** What an event carries of the answer. */
interface Weight {
  bytes: number;
  images: number;
  /** It is as long for the provider as it looks here: it counts towards the output limit. */
  certain: boolean;
}

const NOTHING: Weight = { bytes: 0, images: 0, certain: false };

/** Counts what a reply's events carry. */
export class Meter {
  readonly facts: ReplyFacts = noFacts();
  /** More came than the output limit allows. */
  overLimit = false;
  private certainBytes = 0;

  /** @param maxOutputTokens of all answers together. */
  constructor(
    private readonly maxOutputTokens: number,
    private readonly tokensOf?: TokensOf,
  ) {}

  count(event: ReplyEvent): void {
    this.facts.begun = true;
    const { bytes, images, certain } = this.weigh(event);
    const { facts } = this;
    facts.outputBytes += bytes;
    facts.outputImages += images;
    if (certain && bytes > 0) this.countOutput(bytes);
  }

  /** Every kind of event has a case: the compiler asks for one of a new kind. */
  private weigh(event: ReplyEvent): Weight {
    const { facts } = this;
    switch (event.type) {
      case 'start':
        facts.servedModel ??= event.model;
        return NOTHING;
      case 'usage':
        facts.usage = event.usage && facts.usage && !event.replaces ? largerUsage(facts.usage, event.usage) : (event.usage ?? facts.usage);
        facts.usageIsFinal = event.usage !== null && event.final;
        facts.usageRaw = event.raw;
        return NOTHING;
      case 'finish':
        facts.finishReason ??= event.reason;
        return NOTHING;
      case 'text':
      case 'reasoning':
      case 'arguments':
        return this.weighText(event.text);
      case 'refusal':
        return event.written === false ? NOTHING : this.weighText(event.text);
      case 'tool_call':
        return { bytes: event.name.length, images: 0, certain: false };
      case 'reasoning_state':
        // Cohere's plan was counted piece by piece. Reasoning that is sealed grows with what it hides.
        if (event.origin === 'cohere') return NOTHING;
        return { bytes: (event.redacted ?? event.signature ?? '').length, images: 0, certain: false };
      case 'annotation':
        return { bytes: event.annotation.url.length + (event.annotation.title?.length ?? 0), images: 0, certain: false };
      case 'image':
        return { bytes: 0, images: 1, certain: false };
      case 'other':
        if (event.tool !== undefined) facts.toolRuns.set(event.tool, (facts.toolRuns.get(event.tool) ?? 0) + 1);
        return { bytes: event.bytes, images: event.images, certain: false };
      case 'logprobs':
        return NOTHING;
    }
  }

  private weighText(text: string): Weight {
    const bytes = Buffer.byteLength(text);
    this.facts.outputDense += denseTokens(text, bytes, this.tokensOf);
    return { bytes, images: 0, certain: true };
  }

  /** Counts only what is certain, so that no honest answer is cut. */
  private countOutput(bytes: number): void {
    const { facts } = this;
    this.certainBytes += bytes;
    facts.outputPieces++;
    if (leastTokens(facts.outputPieces, this.certainBytes) <= this.maxOutputTokens) return;
    this.overLimit = true;
    facts.finishReason = 'length';
  }
}
