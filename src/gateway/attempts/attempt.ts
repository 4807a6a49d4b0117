import type { CredentialStore } from '../../credentials/index.js';
import { type Refusal, type Translation } from '../../dialects/index.js';
import { WeirError } from '../../kernel/errors.js';
import { atOnce, inSlices, type Work } from '../../kernel/slices.js';
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
import { Answer, type Attempted } from './answer.js';
import { DRAIN_MS, type Drain, type Drains, drainEnd } from './drains.js';
import type { EncodedRequest } from './encoded-request.js';
import { type Failure, failureOf } from './failure.js';
import { billOfRefusal, type Outcome, type SoFar, type Untold } from './outcome.js';
import { ShownSecrets } from './shown-secrets.js';
import { cooldownOf, errorOfEgress, errorOfRefusal, naming, unreadable, withoutSecrets, wroteNothing } from './upstream-errors.js';

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
export class UpstreamAttempt implements EgressSink, Attempted {
  private readonly reply: Reply;
  private exchange: Exchange | null = null;
  private readonly startedAt = performance.now();
  private sent = false;
  /** Why it may not be sent, or could not be noted as sent; then it is not. */
  private unmarked: WeirError | null = null;
  private readonly answer: Answer;
  private readonly secrets: ShownSecrets;
  /** The client is served no more: it left, or was told of this error. The provider is read on for its usage. */
  private detached: { drain: Drain; error: WeirError | null } | null = null;
  private failure: Failure | null = null;
  /** Steps of the reply that wait for the end of a long one; null: none is under way. */
  private steps: (() => Work<void>)[] | null = null;
  /** The client takes no more for now. */
  private isSlow = false;
  ended = false;

  constructor(
    private readonly plan: TargetPlan,
    private readonly call: Call,
    private readonly flight: InFlightCall,
    translation: Translation,
    private readonly encoded: EncodedRequest,
    private readonly options: AttemptOptions,
    private readonly transport: Transport,
    private readonly credentials: CredentialStore,
    private readonly drains: Drains,
    private readonly resolve: (outcome: Outcome) => void,
  ) {
    this.reply = flight.reply;
    this.secrets = new ShownSecrets(plan.target.headers);
    this.answer = new Answer(this, call, plan.target, flight, translation, this.secrets);
  }

  start(): void {
    if (this.reply.gone) return this.leave();
    this.reply.onGone = () => this.guarded(() => this.leave());
    this.reply.onDrain = () =>
      this.guarded(() => {
        this.isSlow = false;
        this.goOn();
      });
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
    this.step(() => this.answer.release());
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
  guarded(run: () => void): void {
    try {
      run();
    } catch (cause) {
      this.broke(cause);
    }
  }

  private broke(cause: unknown): void {
    this.fail(new WeirError('internal_error', { cause }), this.sent && this.answer.incoming.mayBeBilled, 'exception');
  }

  /** Steps of the reply are taken one after the other. A long one takes several turns, for which the provider waits. */
  step(step: () => Work<void>): void {
    if (this.steps) return void this.steps.push(step);
    this.guarded(() => {
      if (this.ended) return;
      const left = inSlices(step());
      if (!left) return;
      this.steps = [];
      this.exchange?.pause();
      void left.catch((cause: unknown) => this.broke(cause)).then(() => this.stepOn());
    });
  }

  private stepOn(): void {
    const steps = this.steps ?? [];
    this.steps = null;
    for (const step of steps) this.step(step);
    this.goOn();
  }

  private goOn(): void {
    if (!this.steps && !this.isSlow) this.exchange?.resume();
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
    this.guarded(() => this.answer.head(status, headers));
  }

  onData(chunk: Buffer): void {
    this.step(() => this.answer.data(chunk));
  }

  onUnreadable(cause: Error): void {
    this.guarded(() => this.fail(unreadable(cause), this.answer.incoming.mayBeBilled, 'unreadable'));
  }

  onEnd(): void {
    this.step(() => this.conclude());
  }

  private *conclude(): Work<void> {
    if (this.answer.incoming.status === 401 && this.isRenewed())
      return this.fail(new WeirError('provider_auth_failed'), false, 'provider_failed', 'new_token');
    yield* this.answer.conclude();
  }

  onError(error: EgressError): void {
    this.step(() => this.lose(error));
  }

  // biome-ignore lint/correctness/useYield: a step like the others, and a short one.
  private *lose(error: EgressError): Work<void> {
    if (this.unmarked) return this.fail(this.unmarked, false);
    const untold = this.detached && error.late ? 'drain_late' : error.late ? 'provider_silent' : 'provider_broke';
    this.fail(errorOfEgress(error), this.sent && this.answer.incoming.mayBeBilled && !wroteNothing(error), untold);
  }

  /** The client is told now; what the provider makes of the request until its deadline is booked. */
  onLate(): void {
    this.guarded(() => {
      const { status, mayBeBilled } = this.answer.incoming;
      if (this.detached || !this.sent || !mayBeBilled) return;
      if (!this.reply.started && this.options.goesOn('timeout')) return this.expire();
      this.detach(new WeirError(status === null ? 'upstream_timeout' : 'upstream_interrupted'), 'provider_silent');
    });
  }

  /** A whole answer is on its way. */
  get isAnswering(): boolean {
    return this.answer.incoming.answers && !this.call.prompt.stream;
  }

  get isDetached(): boolean {
    return this.detached !== null;
  }

  get isRecorded(): boolean {
    return this.detached?.error === null && this.reply.recorder !== null;
  }

  get limit(): number {
    return this.options.limit;
  }

  progressed(): void {
    this.exchange?.progress();
  }

  pause(): void {
    this.isSlow = true;
    this.exchange?.pause();
  }

  answers(): void {
    this.options.answers();
  }

  completed(failure: Failure | null, untold?: 'output_limit'): void {
    this.failure = failure;
    // The provider goes on past the output limit it was given, which the money is held for.
    if (untold) this.exchange?.cancel();
    this.end('completed', null, true, untold);
  }

  refused(refusal: Refusal): void {
    const { target } = this.plan;
    const retryAfter = refusal.retryAfterSeconds?.toString() ?? this.answer.incoming.headers['retry-after']?.toString();
    const rest = cooldownOf(refusal, retryAfter, target.model);
    const remaining =
      target.credential && rest && !target.subscription
        ? this.credentials.coolDown(target.credential, rest.reason, rest.seconds, rest.model)
        : null;
    const { used, untold } = billOfRefusal(refusal, this.answer.incoming);
    const remedy = !this.detached && this.options.mayLower && speaksOfLimit(refusal) ? 'lower_limit' : null;
    const error = errorOfRefusal(withoutSecrets(refusal, this.secrets.all), target, retryAfter, remaining, this.call.prompt.body);
    this.failure = failureOf(error, refusal, this.answer.incoming.headers, remedy);
    this.fail(error, used, untold);
  }

  /** @param used something was answered, so something may be billed. */
  fail(cause: WeirError | null, used: boolean, untold: Untold = 'exception', remedy: Failure['remedy'] = null): void {
    const error = cause && naming(cause, this.plan.target.provider);
    this.failure ??= failureOf(error, null, this.answer.incoming.headers, remedy);
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
  detach(error: WeirError | null, untold: Untold): void {
    if (this.detached) return;
    const { clientGone } = this.plan.target;
    if ((this.call.prompt.stream ? clientGone.stream : clientGone.whole) === 'cancel') return this.breakOff(error, untold);
    const drain = this.drains.begin(this.call.caller.tenantId, () => this.breakOff(error, 'drain_refused'));
    if (!drain) return this.breakOff(error, 'drain_refused');
    this.detached = { drain, error };
    if (error) this.reply.fail(naming(error, this.plan.target.provider));
    this.exchange?.endWithin(DRAIN_MS);
  }

  private breakOff(error: WeirError | null, untold: Untold): void {
    this.fail(error, this.sent && this.answer.incoming.mayBeBilled, untold);
  }

  private end(status: Outcome['status'], error: WeirError | null, used: boolean, untold: Untold = 'not_counted'): void {
    if (this.ended) return;
    this.ended = true;
    this.reply.onGone = null;
    this.reply.onDrain = null;
    this.flight.cutOff = null;
    const { detached } = this;
    const { facts, firstByteMs, whole, reader } = this.answer.incoming;
    // A client that left, or was told of a failure, did not get the answer, whatever became of it. One that left may come back for it.
    const isKept = this.isRecorded && !this.answer.isWithheld && status === 'completed';
    const ended =
      detached && !isKept ? { status: used ? ('cut' as const) : ('failed' as const), error: detached.error } : { status, error };
    const { failure } = this;
    const reason = error?.code ?? ended.error?.code ?? (ended.status === 'completed' ? null : 'client_gone');
    const attempts = [this.attemptEnded(failure?.remedy === 'lower_limit' ? 'output_limit_refused' : reason)];
    detached?.drain.end(drainEnd(untold, status === 'completed' || !used));
    if (reader && atOnce(this.secrets.areIn([Buffer.from(JSON.stringify([facts.usageRaw, facts.servedModel, facts.finishReason]))])))
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
    return { facts: this.answer.incoming.facts, reader: this.answer.incoming.reader, effort: this.encoded.effort };
  }

  private attemptEnded(reason: string | null): Attempt {
    const { provider, model, credential } = this.plan.target;
    const latencyMs = Math.round((performance.now() - this.startedAt) * 1000) / 1000;
    return { provider, model, credential: credential?.id ?? null, status: this.answer.incoming.status, reason, latencyMs };
  }
}

/** Of a refusal that a lower limit on the output may not meet. */
const speaksOfLimit = ({ class: kind, message }: Refusal): boolean =>
  kind === 'context_length' ||
  ((kind === 'bad_request' || kind === 'unprocessable') &&
    message !== null &&
    /max.{0,3}(?:\w+.)?tokens|num_predict|context.length/i.test(message));
