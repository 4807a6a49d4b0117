import {
  besideFailure,
  isBilled,
  isCounted,
  meteredTokens,
  NoAnswer,
  ProviderRefusal,
  type Refusal,
  type ReplyFacts,
  type StreamReader,
  type Streams,
  type Translation,
} from '../../dialects/index.js';
import { WeirError } from '../../kernel/errors.js';
import { atOnce, inSlices, ownTurn, type Work } from '../../kernel/slices.js';
import { crashPoint } from '../../platform/faults/index.js';
import type { Target } from '../../routing/index.js';
import type { Call } from '../call.js';
import type { InFlightCall } from '../in-flight.js';
import type { Reply } from '../reply.js';
import { isLong } from '../request-body.js';
import { tokenizerOf } from '../tokenizers.js';
import { type Failure, refusalIn } from './failure.js';
import { Incoming } from './incoming.js';
import type { Untold } from './outcome.js';
import type { ShownSecrets } from './shown-secrets.js';
import { repeated, unreadable } from './upstream-errors.js';

/** The attempt that an answer belongs to. What it is told first is its end; the rest is ignored. */
export interface Attempted {
  readonly ended: boolean;
  /** The client is served no more. */
  readonly isDetached: boolean;
  /** It is gone, and its answer is recorded for when it asks again. */
  readonly isRecorded: boolean;
  /** Output tokens of all answers together, as the request says. */
  readonly limit: number;
  /** Data came: the clock of its provider starts anew. */
  progressed(): void;
  /** The client is slow. */
  pause(): void;
  /** Something of the answer of a stream is there. */
  answers(): void;
  /** @param untold absent: the answer is whole. output_limit: it goes on past its limit, and is given up. */
  completed(failure: Failure | null, untold?: 'output_limit'): void;
  refused(refusal: Refusal): void;
  /** Whatever is thrown there ends the attempt, in order, and nothing else. */
  guarded(run: () => void): void;
  /** The same, after what is under way, and in several turns where it is long. */
  step(step: () => Work<void>): void;
  /** @param used something was answered, so something may be billed. */
  fail(error: WeirError, used: boolean, untold?: Untold): void;
  /** The client is told of this error; the provider may be read on. */
  detach(error: WeirError, untold: Untold): void;
}

/**
 * Reads what a provider answers, and gives the client what it may have. It gets nothing of a stream before there is something of the answer in it:
 * until then another attempt may take its place.
 */
export class Answer {
  readonly incoming: Incoming;
  /** Of a stream, what came before anything of the answer did; null: the client has it. */
  private waiting: Buffer[] | null = [];
  /** It repeats what the provider was shown, so nobody may have it. */
  isWithheld = false;

  constructor(
    private readonly attempt: Attempted,
    private readonly call: Call,
    private readonly target: Target,
    private readonly flight: InFlightCall,
    private readonly translation: Translation,
    private readonly secrets: ShownSecrets,
  ) {
    this.incoming = new Incoming(translation.vectors);
  }

  /** The client is not kept waiting any longer for something of the answer: it has what came. */
  *release(): Work<void> {
    if (this.waiting) yield* this.give([], true);
  }

  /** @throws whatever its format cannot read */
  head(status: number, headers: Record<string, string | string[] | undefined>): void {
    const { incoming } = this;
    incoming.status = status;
    incoming.firstByteMs = this.call.elapsedMs();
    crashPoint('first_byte');
    incoming.headers = headers;
    if (status >= 300 && status < 400)
      return this.attempt.fail(
        new WeirError('upstream_invalid_response', { message: 'The provider answered with a redirect, which is not followed.' }),
        false,
      );
    if (headers['content-encoding'] !== undefined) return this.attempt.fail(unreadable('encoded'), incoming.mayBeBilled, 'unreadable');
    const { streams } = this;
    if (!incoming.answers || !streams) return;
    const tokens = tokenizerOf(this.target);
    if (this.call.prompt.stream) this.read(streams.read(this.attempt.limit, tokens));
    else incoming.meterBy(streams, tokens);
  }

  /** Null: the reply is no stream. */
  private get streams(): Streams | null {
    const { streams } = this.translation;
    return streams && this.incoming.headers['content-type']?.toString().startsWith(streams.type) ? streams : null;
  }

  private read(reader: StreamReader): void {
    this.incoming.reader = reader;
    if (this.attempt.isDetached) return;
    this.reply.failure = (error) => {
      const event = reader.failure(error);
      // Some formats repeat the answer so far. Where that is long, it is not searched in one turn, and not shown.
      return isLong(event.length) || atOnce(this.secrets.areIn([event])) ? null : event;
    };
  }

  *data(chunk: Buffer): Work<void> {
    if (this.incoming.reader) return yield* this.relay(this.incoming.reader, chunk);
    this.attempt.progressed();
    const isKept = yield* this.incoming.keep(chunk);
    if (!isKept) this.attempt.fail(unreadable('too long'), this.incoming.mayBeBilled, 'unreadable');
  }

  /** The reply is whole. */
  *conclude(): Work<void> {
    const { status, reader, body, headers } = this.incoming;
    crashPoint('upstream_end');
    if (!this.incoming.answers) return this.readRefusal(this.translation.decodeRefusal(status ?? 502, body, headers), body);
    if (reader) return yield* this.endStream(reader);
    this.readBody(body).then(
      (repeats) => this.attempt.step(() => this.endBody(repeats)),
      (cause) => this.attempt.guarded(() => this.unread(cause)),
    );
  }

  private *relay(reader: StreamReader, chunk: Buffer): Work<void> {
    let pieces: Buffer[];
    try {
      pieces = yield* reader.push(chunk);
    } catch (cause) {
      return this.attempt.fail(unreadable(cause), true, 'unreadable');
    }
    if (this.attempt.ended) return;
    if (reader.takeProgress()) this.attempt.progressed();
    this.flight.progressed();
    const { refusal } = reader;
    // A client that got nothing yet is told by the status.
    if (!refusal || this.reply.started || isBilled(refusal, reader.facts)) yield* this.give(pieces);
    if (this.attempt.ended) return;
    crashPoint('mid_stream');
    if (refusal) return this.attempt.refused(refusal);
    if (!reader.overLimit) return;
    this.attempt.completed(null, 'output_limit');
  }

  /** Gives the client what it may have. @param isDue also if there is nothing of the answer in it yet. */
  private *give(pieces: readonly Buffer[], isDue = false): Work<void> {
    if (!this.isWanted) return;
    const repeats = yield* this.secrets.areIn(pieces);
    if (this.attempt.ended || !this.isWanted) return;
    if (repeats) return this.withhold();
    if (this.waiting) {
      this.waiting.push(...pieces);
      if (!isDue && !this.reply.started && !hasOutput(this.incoming.facts)) return;
      pieces = this.waiting;
      this.waiting = null;
      if (!isDue) this.attempt.answers();
    }
    if (pieces.length > 0 && !this.reply.stream(pieces) && !this.attempt.isDetached) this.attempt.pause();
  }

  /** Somebody gets it: the client, or whoever repeats its call. */
  private get isWanted(): boolean {
    return !this.isWithheld && (!this.attempt.isDetached || this.attempt.isRecorded);
  }

  private withhold(): void {
    this.isWithheld = true;
    this.attempt.detach(repeated(), 'unreadable');
  }

  private *endStream(reader: StreamReader): Work<void> {
    let pieces: Buffer[];
    try {
      pieces = yield* reader.finish();
    } catch (cause) {
      // What cannot be read here is an event that never got its end.
      return this.attempt.fail(new WeirError('upstream_interrupted', { cause }), true, 'provider_broke');
    }
    const repeats = this.isWanted && (yield* this.secrets.areIn(pieces));
    if (this.attempt.ended) return;
    if (repeats && this.isWanted) {
      if (!this.attempt.isDetached) return this.attempt.fail(repeated(), true, 'unreadable');
      this.isWithheld = true;
    }
    const last = [...(this.waiting ?? []), ...pieces];
    if (this.isWanted && last.length > 0 && (reader.complete || this.reply.started)) this.reply.stream(last);
    if (reader.refusal) return this.attempt.refused(reader.refusal);
    if (!reader.complete) return this.attempt.fail(new WeirError('upstream_interrupted'), true, 'provider_broke');
    this.attempt.completed(null);
  }

  /** In a turn for each step, where there is much to work on. Answers whether it repeats a secret that the client must not see. */
  private async readBody(body: Buffer): Promise<boolean> {
    const { translation, incoming, streams } = this;
    if (isLong(body.length)) await ownTurn();
    try {
      if (this.call.prompt.stream) this.read(translation.streams!.readFromWhole(body, incoming.headers));
      else incoming.whole = await inSlices(streams ? streams.fold(body) : translation.readWhole(body, incoming.headers));
    } catch (cause) {
      if (cause instanceof ProviderRefusal) await this.readBesideFailure(body);
      throw cause;
    }
    if (incoming.whole?.refusal && isBare(incoming.whole.facts)) await this.readBesideFailure(body);
    if (isLong(body.length)) await ownTurn();
    return this.isWanted && inSlices(this.secrets.areIn([body]));
  }

  /** The words of a failure are no output; what stands beside them may be. */
  private async readBesideFailure(body: Buffer): Promise<void> {
    this.incoming.unanswered = await inSlices(besideFailure(this.translation, body, this.incoming.headers));
  }

  /** A refusal has no output. A count that it comes with is booked. */
  private readRefusal(refusal: Refusal, body: Buffer): void {
    const { incoming } = this;
    void Promise.resolve(inSlices(besideFailure(this.translation, body, incoming.headers))).then((facts) =>
      this.attempt.guarded(() => {
        if (isCounted(facts)) incoming.unanswered = facts;
        if (!this.attempt.ended) this.attempt.refused(refusal);
      }),
    );
  }

  private unread(cause: unknown): void {
    if (cause instanceof NoAnswer) this.incoming.unanswered = cause.facts;
    if (cause instanceof ProviderRefusal) this.attempt.refused(cause.refusal);
    else this.attempt.fail(unreadable(cause), true, 'unreadable');
  }

  private *endBody(repeats: boolean): Work<void> {
    if (this.attempt.ended) return;
    // What was counted is booked all the same.
    if (repeats && !this.attempt.isDetached) return this.attempt.fail(repeated(), true, 'unreadable');
    this.isWithheld ||= repeats;
    if (this.incoming.reader) return yield* this.endStream(this.incoming.reader);
    const { refusal, facts } = this.incoming.whole!;
    if (refusal) return this.attempt.refused(refusal);
    this.attempt.completed(refusalIn(facts.finishReason));
  }

  private get reply(): Reply {
    return this.flight.reply;
  }
}

/** Whether a reply says nothing of what was made or counted. */
const isBare = (facts: ReplyFacts): boolean => facts.usage === null && meteredTokens(facts) === 0;

/** Whether there is something of the answer: text, reasoning, a tool call, a refusal, a picture. A role or a ping is nothing. */
const hasOutput = ({ outputPieces, outputBytes, outputImages, toolRuns }: ReplyFacts): boolean =>
  outputPieces > 0 || outputBytes > 0 || outputImages > 0 || toolRuns.size > 0;
