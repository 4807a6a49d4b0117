import type { CredentialStore } from '../../credentials/index.js';
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
import { inSlices, ownTurn } from '../../kernel/slices.js';
import type { Attempt } from '../../ledger/index.js';
import {
  type EgressError,
  type EgressRequest,
  type EgressSink,
  type Exchange,
  PlainReply,
  type Transport,
} from '../../platform/egress/index.js';
import { crashPoint } from '../../platform/faults/index.js';
import type { ShownHeaders } from '../../providers/index.js';
import type { FallbackReason, TargetPlan } from '../../routing/index.js';
import type { Call } from '../call.js';
import type { InFlightCall } from '../in-flight.js';
import type { Reply } from '../reply.js';
import { isLong } from '../request-body.js';
import { tokenizerOf } from '../tokenizers.js';
import { DRAIN_MS, type Drain, type Drains, drainEnd } from './drains.js';
import type { EncodedRequest } from './encoded-request.js';
import { type Failure, failureOf, refusalIn } from './failure.js';
import { Incoming } from './incoming.js';
import { billOfRefusal, type Outcome, type SoFar, type Untold } from './outcome.js';
import { ShownSecrets } from './shown-secrets.js';
import { cooldownOf, errorOfEgress, errorOfRefusal, repeated, unreadable, withoutSecrets, wroteNothing } from './upstream-errors.js';

/** How an attempt stands among those of its call. */
export interface AttemptOptions {
  /** Output tokens of all answers together, as the request says. */
  limit: number;
  /** A token that is refused may be replaced: it was not yet. */
  mayRenew: boolean;
  /** The limit is Weir's own and may be lowered: it was not yet. */
  mayLower: boolean;
  /** Whether the call goes on to another target after such a failure. */
  goesOn(reason: FallbackReason): boolean;
  /** Something of the answer of a stream is there. */
  answers(): void;
}

/**
 * One request to a provider: takes what comes, gives the client what it may have, and ends in an outcome exactly once. It tries nothing a second
 * time. A client gets nothing of a stream before there is something of the answer in it: until then another attempt may take its place.
 */
export class UpstreamAttempt implements EgressSink {
  private readonly reply: Reply;
  private exchange: Exchange | null = null;
  private readonly startedAt = performance.now();
  private sent = false;
  /** Why it may not be sent, or could not be noted as sent; then it is not. */
  private unmarked: WeirError | null = null;
  private readonly incoming: Incoming;
  private readonly secrets: ShownSecrets;
  /** Of a stream, what came before anything of the answer did; null: the client has it. */
  private waiting: Buffer[] | null = [];
  /** The client is served no more: it left, or was told of this error. The provider is read on for its usage. */
  private detached: { drain: Drain; error: WeirError | null } | null = null;
  private failure: Failure | null = null;
  private ended = false;

  constructor(
    private readonly plan: TargetPlan,
    private readonly call: Call,
    private readonly flight: InFlightCall,
    private readonly translation: Translation,
    private readonly encoded: EncodedRequest,
    private readonly options: AttemptOptions,
    private readonly transport: Transport,
    private readonly credentials: CredentialStore,
    private readonly drains: Drains,
    private readonly resolve: (outcome: Outcome) => void,
  ) {
    this.reply = flight.reply;
    this.incoming = new Incoming(this.translation.vectors);
    this.secrets = new ShownSecrets(plan.target.headers);
  }

  start(): void {
    if (this.reply.gone) return this.leave();
    this.reply.onGone = () => this.guarded(() => this.leave());
    this.reply.onDrain = () => this.guarded(() => this.exchange?.resume());
    this.flight.cutOff = () => this.guarded(() => this.breakOff(this.detached?.error ?? null, 'shutdown'));
    crashPoint('before_connect');
    this.authorize();
  }

  /** The call's time is over. */
  expire(): void {
    this.guarded(() => this.breakOff(new WeirError('upstream_timeout'), 'provider_silent'));
  }

  /** The client is not kept waiting any longer for something of the answer: it has what came. */
  release(): void {
    this.guarded(() => this.waiting && !this.ended && this.give([], true));
  }

  /** Sends at once, unless a token has to be fetched first: then nothing is sent before it is there. */
  private authorize(): void {
    const { unsigned, auth } = this.encoded;
    try {
      const shown = auth ? auth.headersFor(unsigned) : [];
      if (!(shown instanceof Promise)) return this.transmit(unsigned, shown);
      shown.then((headers) => this.transmit(unsigned, headers)).catch((cause) => this.failUnsent(cause));
    } catch (cause) {
      this.failUnsent(cause);
    }
  }

  private transmit(unsigned: EgressRequest, shown: ShownHeaders): void {
    if (this.ended) return; // the client left while the token was fetched
    this.secrets.shown = shown;
    this.exchange = this.transport.send({ ...unsigned, headers: [...unsigned.headers, ...shown] }, new PlainReply(this));
  }

  /** Whatever a callback throws ends this call, in order, and nothing else. */
  private guarded(run: () => void): void {
    try {
      run();
    } catch (cause) {
      this.fail(new WeirError('internal_error', { cause }), this.sent && this.incoming.mayBeBilled, 'exception');
    }
  }

  private failUnsent(cause: unknown): void {
    this.fail(cause instanceof WeirError ? cause : new WeirError('internal_error', { cause }), false);
  }

  /** The provider does not take the token: it may have been revoked, or its clock differs. */
  private isRenewed(): boolean {
    return !this.detached && this.options.mayRenew && this.encoded.auth?.renew?.(this.secrets.shown) === true;
  }

  onSending(): void {
    try {
      this.flight.sending(() => this.soFar, this.options.limit);
    } catch (error) {
      this.unmarked = error instanceof WeirError ? error : new WeirError('ledger_unavailable', { cause: error });
      throw error; // takes the request back
    }
    this.sent = true;
    crashPoint('connected');
  }

  onHead(status: number, headers: Record<string, string | string[] | undefined>): void {
    this.guarded(() => this.readHead(status, headers));
  }

  private readHead(status: number, headers: Record<string, string | string[] | undefined>): void {
    const { incoming } = this;
    incoming.status = status;
    incoming.firstByteMs = this.call.elapsedMs();
    crashPoint('first_byte');
    incoming.headers = headers;
    if (status >= 300 && status < 400)
      return this.fail(
        new WeirError('upstream_invalid_response', { message: 'The provider answered with a redirect, which is not followed.' }),
        false,
      );
    if (headers['content-encoding'] !== undefined) return this.fail(unreadable('encoded'), incoming.mayBeBilled, 'unreadable');
    const { streams } = this;
    if (!incoming.answers || !streams) return;
    const tokens = tokenizerOf(this.plan.target);
    if (this.call.prompt.stream) this.read(streams.read(this.options.limit, tokens));
    else incoming.meterBy(streams, tokens);
  }

  /** Null: the reply is no stream. */
  private get streams(): Streams | null {
    const { streams } = this.translation;
    return streams && this.incoming.headers['content-type']?.toString().startsWith(streams.type) ? streams : null;
  }

  private read(reader: StreamReader): void {
    this.incoming.reader = reader;
    if (this.detached) return;
    this.reply.failure = (error) => {
      const event = reader.failure(error);
      // Some formats repeat the answer so far.
      return this.secrets.areIn([event]) ? null : event;
    };
  }

  onData(chunk: Buffer): void {
    this.guarded(() => this.take(chunk));
  }

  private take(chunk: Buffer): void {
    if (this.ended) return;
    if (this.incoming.reader) return this.relay(this.incoming.reader, chunk);
    this.exchange?.progress();
    if (!this.incoming.keep(chunk)) this.fail(unreadable('too long'), this.incoming.mayBeBilled, 'unreadable');
  }

  onUnreadable(cause: Error): void {
    this.guarded(() => this.fail(unreadable(cause), this.incoming.mayBeBilled, 'unreadable'));
  }

  onEnd(): void {
    this.guarded(() => this.conclude());
  }

  private conclude(): void {
    if (this.ended) return;
    const { status, reader, body, headers } = this.incoming;
    crashPoint('upstream_end');
    if (status === 401 && this.isRenewed()) return this.fail(new WeirError('provider_auth_failed'), false, 'provider_failed', 'new_token');
    if (!this.incoming.answers) return this.readRefusal(this.translation.decodeRefusal(status ?? 502, body, headers), body);
    if (reader) return this.endStream(reader);
    this.readBody(body).then(
      (repeats) => this.guarded(() => this.endBody(repeats)),
      (cause) => this.guarded(() => this.unread(cause)),
    );
  }

  onError(error: EgressError): void {
    this.guarded(() => this.lose(error));
  }

  private lose(error: EgressError): void {
    if (this.ended) return;
    if (this.unmarked) return this.fail(this.unmarked, false);
    const untold = this.detached && error.late ? 'drain_late' : error.late ? 'provider_silent' : 'provider_broke';
    this.fail(errorOfEgress(error), this.sent && this.incoming.mayBeBilled && !wroteNothing(error), untold);
  }

  /** The client is told now; what the provider makes of the request until its deadline is booked. */
  onLate(): void {
    this.guarded(() => {
      const { status, mayBeBilled } = this.incoming;
      if (this.detached || !this.sent || !mayBeBilled) return;
      if (!this.reply.started && this.options.goesOn('timeout')) return this.expire();
      this.detach(new WeirError(status === null ? 'upstream_timeout' : 'upstream_interrupted'), 'provider_silent');
    });
  }

  private relay(reader: StreamReader, chunk: Buffer): void {
    let pieces: Buffer[];
    try {
      pieces = reader.push(chunk);
    } catch (cause) {
      return this.fail(unreadable(cause), true, 'unreadable');
    }
    if (reader.takeProgress()) this.exchange?.progress();
    this.flight.progressed();
    const { refusal } = reader;
    // A client that got nothing yet is told by the status.
    if (!refusal || this.reply.started || isBilled(refusal, reader.facts)) this.give(pieces);
    if (this.ended) return;
    crashPoint('mid_stream');
    if (refusal) return this.refused(refusal);
    if (!reader.overLimit) return;
    // The provider goes on past the output limit it was given, which the money is held for.
    this.exchange?.cancel();
    this.end('completed', null, true, 'output_limit');
  }

  /** Gives the client what it may have. @param atOnce also if there is nothing of the answer in it yet. */
  private give(pieces: readonly Buffer[], atOnce = false): void {
    if (this.detached) return;
    if (this.secrets.areIn(pieces)) return this.detach(repeated(), 'unreadable');
    if (this.waiting) {
      this.waiting.push(...pieces);
      if (!atOnce && !this.reply.started && !hasOutput(this.incoming.facts)) return;
      pieces = this.waiting;
      this.waiting = null;
      if (!atOnce) this.options.answers();
    }
    if (pieces.length > 0 && !this.reply.stream(pieces)) this.exchange?.pause();
  }

  private endStream(reader: StreamReader): void {
    let pieces: Buffer[];
    try {
      pieces = reader.finish();
    } catch (cause) {
      // What cannot be read here is an event that never got its end.
      return this.fail(new WeirError('upstream_interrupted', { cause }), true, 'provider_broke');
    }
    if (!this.detached && this.secrets.areIn(pieces)) return this.fail(repeated(), true, 'unreadable');
    const last = [...(this.waiting ?? []), ...pieces];
    if (!this.detached && last.length > 0 && (reader.complete || this.reply.started)) this.reply.stream(last);
    if (reader.refusal) return this.refused(reader.refusal);
    if (!reader.complete) return this.fail(new WeirError('upstream_interrupted'), true, 'provider_broke');
    this.end('completed', null, true);
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
    return this.detached === null && inSlices(this.secrets.search(body));
  }

  /** The words of a failure are no output; what stands beside them may be. */
  private async readBesideFailure(body: Buffer): Promise<void> {
    this.incoming.unanswered = await inSlices(besideFailure(this.translation, body, this.incoming.headers));
  }

  /** A refusal has no output. A count that it comes with is booked. */
  private readRefusal(refusal: Refusal, body: Buffer): void {
    const { incoming } = this;
    void Promise.resolve(inSlices(besideFailure(this.translation, body, incoming.headers))).then((facts) =>
      this.guarded(() => {
        if (isCounted(facts)) incoming.unanswered = facts;
        if (!this.ended) this.refused(refusal);
      }),
    );
  }

  private unread(cause: unknown): void {
    if (cause instanceof NoAnswer) this.incoming.unanswered = cause.facts;
    if (cause instanceof ProviderRefusal) this.refused(cause.refusal);
    else this.fail(unreadable(cause), true, 'unreadable');
  }

  private endBody(repeats: boolean): void {
    if (this.ended) return;
    // What was counted is booked all the same.
    if (repeats && !this.detached) return this.fail(repeated(), true, 'unreadable');
    if (this.incoming.reader) return this.endStream(this.incoming.reader);
    const { refusal, facts } = this.incoming.whole!;
    if (refusal) return this.refused(refusal);
    this.failure = refusalIn(facts.finishReason);
    this.end('completed', null, true);
  }

  private refused(refusal: Refusal): void {
    const { target } = this.plan;
    const retryAfter = refusal.retryAfterSeconds?.toString() ?? this.incoming.headers['retry-after']?.toString();
    const rest = cooldownOf(refusal, retryAfter);
    const remaining =
      target.credential && rest && !target.subscription ? this.credentials.coolDown(target.credential, rest.reason, rest.seconds) : null;
    const { used, untold } = billOfRefusal(refusal, this.incoming);
    const remedy = !this.detached && this.options.mayLower && speaksOfLimit(refusal) ? 'lower_limit' : null;
    const error = errorOfRefusal(withoutSecrets(refusal, this.secrets.all), target, retryAfter, remaining);
    this.failure = failureOf(error, refusal, this.incoming.headers, remedy);
    this.fail(error, used, untold);
  }

  /** @param used something was answered, so something may be billed. */
  private fail(error: WeirError | null, used: boolean, untold: Untold = 'exception', remedy: Failure['remedy'] = null): void {
    this.failure ??= failureOf(error, null, this.incoming.headers, remedy);
    this.exchange?.cancel();
    this.end(used ? 'cut' : 'failed', error, used, untold);
  }

  /** The client is gone. What the provider had begun is booked: as the provider counts it, where it is read on. */
  private leave(): void {
    if (this.ended || this.detached) return;
    if (this.sent) this.detach(null, 'client_left');
    else this.breakOff(null, 'client_left');
  }

  /** The client is served no more. @param error what it is told; null: it is gone. */
  private detach(error: WeirError | null, untold: Untold): void {
    const { clientGone } = this.plan.target;
    if ((this.call.prompt.stream ? clientGone.stream : clientGone.whole) === 'cancel') return this.breakOff(error, untold);
    const drain = this.drains.begin(this.call.caller.tenantId, () => this.breakOff(error, 'drain_refused'));
    if (!drain) return this.breakOff(error, 'drain_refused');
    this.detached = { drain, error };
    if (error) this.reply.fail(error);
    this.exchange?.endWithin(DRAIN_MS);
  }

  private breakOff(error: WeirError | null, untold: Untold): void {
    this.fail(error, this.sent && this.incoming.mayBeBilled, untold);
  }

  private end(status: Outcome['status'], error: WeirError | null, used: boolean, untold: Untold = 'not_counted'): void {
    if (this.ended) return;
    this.ended = true;
    this.reply.onGone = null;
    this.reply.onDrain = null;
    this.flight.cutOff = null;
    const { detached } = this;
    const { facts, firstByteMs, whole, reader } = this.incoming;
    // A client that left, or was told of a failure, did not get the answer, whatever became of it.
    const ended = detached ? { status: used ? ('cut' as const) : ('failed' as const), error: detached.error } : { status, error };
    const { failure } = this;
    const reason = error?.code ?? ended.error?.code ?? (ended.status === 'completed' ? null : 'client_gone');
    const attempts = [this.attemptEnded(failure?.remedy === 'lower_limit' ? 'output_limit_refused' : reason)];
    detached?.drain.end(drainEnd(untold, status === 'completed' || !used));
    if (reader && this.secrets.areIn([Buffer.from(JSON.stringify([facts.usageRaw, facts.servedModel, facts.finishReason]))]))
      Object.assign(facts, { usageRaw: null, servedModel: null, finishReason: null });
    const repeatsSecret = (tail: Buffer) => this.secrets.areIn([tail]);
    this.resolve({
      ...ended,
      ...this.soFar,
      used,
      attempts,
      failure: detached ? null : failure,
      firstByteMs,
      whole,
      repeatsSecret,
      untold,
    });
  }

  private get soFar(): SoFar {
    return { facts: this.incoming.facts, reader: this.incoming.reader, effort: this.encoded.effort };
  }

  private attemptEnded(reason: string | null): Attempt {
    const { provider, model, credential } = this.plan.target;
    const latencyMs = Math.round((performance.now() - this.startedAt) * 1000) / 1000;
    return { provider, model, credential: credential?.id ?? null, status: this.incoming.status, reason, latencyMs };
  }
}

/** Whether a reply says nothing of what was made or counted. */
const isBare = (facts: ReplyFacts): boolean => facts.usage === null && meteredTokens(facts) === 0;

/** Whether there is something of the answer: text, reasoning, a tool call, a refusal, a picture. A role or a ping is nothing. */
const hasOutput = ({ outputPieces, outputBytes, outputImages, toolRuns }: ReplyFacts): boolean =>
  outputPieces > 0 || outputBytes > 0 || outputImages > 0 || toolRuns.size > 0;

/** Of a refusal that a lower limit on the output may not meet. */
const speaksOfLimit = ({ class: kind, message }: Refusal): boolean =>
  kind === 'context_length' ||
  ((kind === 'bad_request' || kind === 'unprocessable') &&
    message !== null &&
    /max.{0,3}(?:\w+.)?tokens|num_predict|context.length/i.test(message));
