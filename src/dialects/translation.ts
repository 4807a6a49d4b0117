import type { Work } from '../kernel/slices.js';
import type { Usage } from '../kernel/usage.js';
import type { ReplyEvent, Turn } from './canonical.js';
import {
  type CallRequest,
  PLAIN_REPLY,
  ProviderRefusal,
  type Refusal,
  type ReplyContext,
  type ReplyHeaders,
  type ReplyIdentity,
  type StreamDecoder,
  type StreamReader,
  type Streams,
  type Surface,
  type TokensOf,
  type Translation,
  type Upstream,
  type UpstreamParams,
  type UpstreamRequest,
  type Verbatim,
  type WholeReply,
} from './dialect.js';
import { invalid } from './kit/fields.js';
import { Fold } from './kit/fold.js';
import { eachFrame, type FrameReader, frameReader, streamType } from './kit/frames.js';
import { withoutCost } from './kit/hidden-cost.js';
import { boundArguments, haveReadableCalls } from './kit/inner-json.js';
import { unsaidLeftOut } from './kit/left-out.js';
import { shortEvents } from './kit/long-text.js';
import { Meter } from './kit/meter.js';
import { type FieldNames, inNamesOf, refusingInNamesOf } from './kit/own-names.js';
import { promptTools } from './kit/prompted-tools.js';
import { failedAnswer, TranslatingReader, VerbatimReader } from './kit/readers.js';
import type { RecalledState } from './kit/recalled-state.js';
import { ReplyFilter } from './kit/reply-filter.js';
import { callIdsIn, withUniqueCalls } from './kit/unique-calls.js';

const NO_NAMES: FieldNames = {};

const NOTHING_SAID = 'There is no text to answer. Send at least one message that is not empty.';
/** Providers refuse a conversation of nothing else, each in words about its own format. */
const isEmpty = ({ role, parts }: Turn): boolean => role !== 'tool' && parts.every((part) => part.type === 'text' && part.text === '');

/** One call's way from a client's format to a provider's and back, through the canonical form. */
export class CanonicalTranslation implements Translation, Streams {
  protected context: ReplyContext = PLAIN_REPLY;
  /** Ids of calls that a reply must not use again. */
  private usedIds: Set<string> = new Set();

  constructor(
    protected readonly surface: Surface,
    protected readonly upstream: Upstream,
    protected readonly prompt: CallRequest,
    protected readonly identity: ReplyIdentity,
    private readonly recalled: RecalledState | null = null,
  ) {}

  encodeRequest(rewrite: UpstreamParams): UpstreamRequest {
    const decoded = this.recalled?.conversation ?? this.surface.decodeConversation(this.prompt);
    const conversation = { ...decoded, turns: withUniqueCalls(decoded.turns), betas: this.prompt.betas };
    boundArguments(conversation.turns);
    const { fieldNames = NO_NAMES } = this.surface;
    if (decoded.turns.every(isEmpty)) throw invalid(fieldNames['messages'] ?? 'messages', NOTHING_SAID);
    this.usedIds = callIdsIn(conversation.turns);
    const prompted = rewrite.quirks.nativeTools === false && conversation.tools.length > 0;
    const request = refusingInNamesOf(fieldNames, () =>
      this.upstream.encodeRequest(prompted ? promptTools(conversation) : conversation, rewrite),
    );
    this.context = prompted ? { ...request.reply, promptedTools: true } : request.reply;
    const leftOut = conversation.leftOut.map((field) => `"${field}" has no meaning for this provider and was left out.`);
    const unsaid = unsaidLeftOut(conversation, this.upstream.unsaid ?? []);
    return { ...request, warnings: [...leftOut, ...unsaid, ...request.warnings.map((warning) => inNamesOf(fieldNames, warning))] };
  }

  get streams(): Streams {
    return this;
  }

  get type(): string {
    return streamType(this.upstream.framing);
  }

  read(maxOutputTokens: number, tokensOf?: TokensOf): StreamReader {
    return this.translatingReader(this.upstream.streamDecoder(), frameReader(this.upstream.framing), maxOutputTokens, tokensOf);
  }

  readFromWhole(body: Buffer, headers: ReplyHeaders): StreamReader {
    const events = this.upstream.decodeAnswer(body, headers);
    return this.translatingReader(new Decoded(events), NO_FRAMES, Number.POSITIVE_INFINITY);
  }

  readWhole(body: Buffer, headers: ReplyHeaders): Work<WholeReply> {
    return this.whole(this.eventsOfAnswer(body, headers));
  }

  fold(body: Buffer): Work<WholeReply> {
    return this.whole(this.eventsOf(body));
  }

  decodeRefusal(status: number, body: Buffer, headers: ReplyHeaders): Refusal {
    return this.upstream.decodeRefusal(status, body, headers);
  }

  protected filter(): ReplyFilter {
    return new ReplyFilter(this.context, this.identity.id, this.recalled?.see, this.usedIds);
  }

  private translatingReader(decoder: StreamDecoder, frames: FrameReader, maxOutputTokens: number, tokensOf?: TokensOf): StreamReader {
    const encoder = this.surface.streamEncoder(this.prompt, this.identity);
    return new TranslatingReader(decoder, frames, encoder, this.filter(), this.prompt.choices, maxOutputTokens, tokensOf);
  }

  private *eventsOfAnswer(body: Buffer, headers: ReplyHeaders): Iterable<ReplyEvent> {
    yield* this.upstream.decodeAnswer(body, headers);
  }

  private *eventsOf(stream: Buffer): Iterable<ReplyEvent> {
    const decoder = this.upstream.streamDecoder();
    for (const frame of eachFrame(this.upstream.framing, stream)) yield* decoder.push(frame);
    yield* decoder.end();
    if (!decoder.complete) throw new Error('the stream broke off');
  }

  /** What was used before a failure is known, too. */
  private *whole(events: Iterable<ReplyEvent>): Work<WholeReply> {
    const meter = new Meter(Number.POSITIVE_INFINITY);
    const fold = new Fold();
    const filter = this.filter();
    let refusal: Refusal | null = null;
    try {
      for (const raw of events) {
        // As the provider sent it: what the filter keeps back was made, too.
        if (raw.type !== 'finish') meter.count(raw);
        for (const piece of filter.readsLetters ? shortEvents(raw) : [raw]) {
          yield;
          for (const event of filter.push(piece)) {
            if (event.type === 'finish') meter.count(event);
            fold.add(event);
            if (event.type === 'finish' && event.reason === 'error') refusal = failedAnswer(event);
          }
        }
      }
    } catch (error) {
      if (!(error instanceof ProviderRefusal)) throw error;
      refusal = error.refusal;
    }
    if (!haveReadableCalls(fold.answer().choices.flatMap(({ parts }) => parts)))
      throw new Error('the calls of a reply have too many values');
    const { facts } = meter;
    const render = (usage: Usage) => this.surface.encodeAnswer(fold.answer(), usage, this.identity, facts.usageRaw, this.prompt);
    return { facts, refusal, render };
  }
}

/** The same format on both sides: what the client sent and what the provider answers pass as they are. */
export class VerbatimTranslation extends CanonicalTranslation {
  constructor(
    surface: Surface,
    upstream: Upstream,
    private readonly verbatim: Verbatim,
    prompt: CallRequest,
    identity: ReplyIdentity,
  ) {
    super(surface, upstream, prompt, identity);
  }

  override encodeRequest(rewrite: UpstreamParams): UpstreamRequest {
    return this.verbatim.encodeRequest(this.prompt, rewrite);
  }

  override read(maxOutputTokens: number, tokensOf?: TokensOf): StreamReader {
    const { prompt, verbatim } = this;
    if (verbatim.streamReader) return verbatim.streamReader(prompt, maxOutputTokens, tokensOf);
    const encoder = () => this.surface.streamEncoder(prompt, this.identity);
    const isTail = verbatim.isTail.bind(verbatim);
    const isWanted = verbatim.sieve?.();
    return new VerbatimReader(
      this.upstream.streamDecoder(),
      { isTail, ...(isWanted && { isWanted }), hidesCost: prompt.hidesCost === true },
      encoder,
      this.filter(),
      prompt.choices,
      maxOutputTokens,
      tokensOf,
    );
  }

  override *readWhole(body: Buffer, headers: ReplyHeaders): Work<WholeReply> {
    if (!this.verbatim.readWhole) return this.shown(yield* super.readWhole(body, headers), body);
    const { refusal, body: readable, ...facts } = this.verbatim.readWhole(body);
    yield;
    return this.shown({ facts, refusal }, readable);
  }

  /** The reply as the client may see it. */
  private shown({ facts, refusal }: Omit<WholeReply, 'render'>, body: Buffer): WholeReply {
    const answer = this.prompt.hidesCost ? withoutCost(body.toString()) : body;
    return { facts, refusal, render: () => answer };
  }
}

/** Events that were there all at once. */
class Decoded implements StreamDecoder {
  complete = false;

  constructor(private readonly events: ReplyEvent[]) {}

  push(): ReplyEvent[] {
    return [];
  }

  end(): ReplyEvent[] {
    this.complete = true;
    return this.events;
  }
}

const NO_FRAMES: FrameReader = { push: () => {}, finish: () => {} };
