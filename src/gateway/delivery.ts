import type { Hold } from '../budgets/index.js';
import type { CredentialStore } from '../credentials/index.js';
import {
  meteredTokens,
  noFacts,
  ProviderRefusal,
  type Refusal,
  type ReplyFacts,
  type StreamReader,
  type Streams,
  type Translation,
  type WholeReply,
} from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import type { Attempt } from '../ledger/index.js';
import { Secret } from '../platform/crypto/index.js';
import type { EgressError, EgressRequest, EgressSink, Exchange, Transport } from '../platform/egress/index.js';
import { crashPoint } from '../platform/faults/index.js';
import type { Auth, ShownHeaders } from '../providers/index.js';
import type { Plan } from '../routing/index.js';
import type { Call } from './call.js';
import type { Flight } from './in-flight.js';
import type { Outcome } from './outcome.js';
import type { Reply } from './reply.js';
import { SecretWatch } from './secret-watch.js';
import { errorOfEgress, errorOfRefusal, restOf, withoutSecrets } from './upstream-errors.js';

const MAX_REPLY_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/** A request that is final but for what shows the credential. */
export interface Encoded {
  unsigned: EgressRequest;
  /** Null: the provider takes none. */
  auth: Auth | null;
}

const NO_HEADERS: ShownHeaders = [];

/** One call under way: takes what the provider sends, gives the client what it may have, and ends in an outcome exactly once. */
export class Delivery implements EgressSink {
  private readonly reply: Reply;
  private exchange: Exchange | null = null;
  private encoded: Encoded | null = null;
  /** What the credential was shown by. */
  private shown: ShownHeaders = NO_HEADERS;
  /** The attempt before this one, whose token was refused. */
  private refusedAttempt: Attempt | null = null;
  private startedAt = performance.now();
  private sent = false;
  /** Why it could not be noted as sent; then it is not sent. */
  private unmarked: Error | null = null;
  private status: number | null = null;
  private firstByteMs: number | null = null;
  private watch: SecretWatch | null = null;
  private reader: StreamReader | null = null;
  private whole: WholeReply | null = null;
  private headers: Record<string, string | string[] | undefined> = {};
  private chunks: Buffer[] = [];
  private bytes = 0;
  private ended = false;

  constructor(
    private readonly plan: Plan,
    private readonly hold: Hold,
    private readonly call: Call,
    private readonly flight: Flight,
    private readonly translation: Translation,
    private readonly transport: Transport,
    private readonly credentials: CredentialStore,
    private readonly resolve: (outcome: Outcome) => void,
  ) {
    this.reply = flight.reply;
  }

  start(encode: () => Encoded): void {
    if (this.reply.gone) return this.leave();
    this.reply.onGone = () => this.guarded(() => this.leave());
    this.reply.onDrain = () => this.guarded(() => this.exchange?.resume());
    try {
      crashPoint('before_connect');
      this.encoded = encode();
    } catch (cause) {
      return this.failUnsent(cause);
    }
    this.attempt(this.encoded);
  }

  /** Sends at once, unless a token has to be fetched first: then nothing is sent before it is there. */
  private attempt({ unsigned, auth }: Encoded): void {
    try {
      const shown = auth ? auth.headersFor(unsigned) : NO_HEADERS;
      if (!(shown instanceof Promise)) return this.transmit(unsigned, shown);
      shown.then((headers) => this.transmit(unsigned, headers)).catch((cause) => this.failUnsent(cause));
    } catch (cause) {
      this.failUnsent(cause);
    }
  }

  private transmit(unsigned: EgressRequest, shown: ShownHeaders): void {
    if (this.ended) return; // the client left while the token was fetched
    this.shown = shown;
    this.exchange = this.transport.send({ ...unsigned, headers: [...unsigned.headers, ...shown] }, this);
  }

  /** Whatever a callback throws ends this call, in order, and nothing else. */
  private guarded(run: () => void): void {
    try {
      run();
    } catch (cause) {
      this.fail(new WeirError('internal_error', { cause }), this.sent && (this.status === null || this.status === 200));
    }
  }

  private failUnsent(cause: unknown): void {
    this.fail(cause instanceof WeirError ? cause : new WeirError('internal_error', { cause }), false);
  }

  /** The provider does not take the token: it may have been revoked, or its clock differs. Once, the call is made again with a new one. */
  private attemptAgain(): boolean {
    const { encoded } = this;
    if (this.refusedAttempt || !encoded?.auth?.renew?.(this.shown)) return false;
    this.refusedAttempt = this.attemptEnded('provider_auth_failed');
    this.exchange = null;
    this.sent = false;
    this.status = null;
    this.firstByteMs = null;
    this.headers = {};
    this.chunks = [];
    this.bytes = 0;
    this.startedAt = performance.now();
    this.attempt(encoded);
    return true;
  }

  onSending(): void {
    try {
      this.flight.sending(() => meteredTokens(this.facts), this.hold.maxOutputTokens * this.call.prompt.choices);
    } catch (error) {
      this.unmarked = error as Error;
      throw error; // takes the request back
    }
    this.sent = true;
    crashPoint('connected');
  }

  onHead(status: number, headers: Record<string, string | string[] | undefined>): void {
    this.guarded(() => this.readHead(status, headers));
  }

  private readHead(status: number, headers: Record<string, string | string[] | undefined>): void {
    this.status = status;
    this.firstByteMs = this.call.elapsedMs();
    crashPoint('first_byte');
    this.headers = headers;
    if (status >= 300 && status < 400)
      return this.fail(
        new WeirError('upstream_invalid_response', { message: 'The provider answered with a redirect, which is not followed.' }),
        false,
      );
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') return this.fail(unreadable('encoded'), status === 200);
    if (status === 200 && this.call.prompt.stream && this.streams)
      this.read(this.streams.read(this.hold.maxOutputTokens * this.call.prompt.choices));
  }

  /** Null: the reply is no stream. */
  private get streams(): Streams | null {
    const { streams } = this.translation;
    return streams && this.headers['content-type']?.toString().startsWith(streams.type) ? streams : null;
  }

  private read(reader: StreamReader): void {
    this.reader = reader;
    this.reply.failure = (error) => {
      const event = reader.failure(error);
      // Some formats repeat the answer so far.
      return this.repeatsSecret([event])
        ? Buffer.from(`event: error\ndata: ${JSON.stringify(this.call.format.encodeError(error))}\n\n`)
        : event;
    };
  }

  onData(chunk: Buffer): void {
    this.guarded(() => this.take(chunk));
  }

  private take(chunk: Buffer): void {
    if (this.ended) return;
    if (this.reader) return this.relay(this.reader, chunk);
    this.exchange?.progress();
    this.bytes += chunk.length;
    if (this.bytes > (this.status === 200 ? MAX_REPLY_BYTES : MAX_ERROR_BYTES))
      return this.fail(unreadable('too long'), this.status === 200);
    this.chunks.push(chunk);
  }

  onEnd(): void {
    this.guarded(() => this.conclude());
  }

  private conclude(): void {
    if (this.ended) return;
    crashPoint('upstream_end');
    if (this.status === 401 && this.attemptAgain()) return;
    if (this.status !== 200)
      return this.refused(this.translation.decodeRefusal(this.status ?? 502, Buffer.concat(this.chunks), this.headers), false);
    if (this.reader) return this.endStream(this.reader);
    this.endBody();
  }

  onError(error: EgressError): void {
    this.guarded(() => this.lose(error));
  }

  private lose(error: EgressError): void {
    if (this.ended) return;
    if (this.unmarked) return this.fail(new WeirError('ledger_unavailable', { cause: this.unmarked }), false);
    // Nothing was heard of it: a provider that is silent before its head is not billed for.
    this.fail(errorOfEgress(error), this.status === 200);
  }

  private relay(reader: StreamReader, chunk: Buffer): void {
    let pieces: Buffer[];
    try {
      pieces = reader.push(chunk);
    } catch (cause) {
      return this.fail(unreadable(cause), true);
    }
    if (this.repeatsSecret(pieces)) return this.fail(unreadable(REPEATED), true);
    if (reader.takeProgress()) this.exchange?.progress();
    if (pieces.length > 0 && !this.reply.stream(pieces)) this.exchange?.pause();
    crashPoint('mid_stream');
    if (reader.refusal) return this.refused(reader.refusal, true);
    if (reader.overLimit) this.cutAtLimit();
  }

  private endStream(reader: StreamReader): void {
    let pieces: Buffer[];
    try {
      pieces = reader.finish();
    } catch (cause) {
      // What cannot be read here is an event that never got its end.
      return this.fail(new WeirError('upstream_interrupted', { cause }), true);
    }
    if (this.repeatsSecret(pieces)) return this.fail(unreadable(REPEATED), true);
    if (pieces.length > 0) this.reply.stream(pieces);
    if (reader.refusal) return this.refused(reader.refusal, true);
    if (!reader.complete) return this.fail(new WeirError('upstream_interrupted'), true);
    this.end('completed', null, true);
  }

  /** The provider goes on past the output limit it was given, which the money is held for. */
  private cutAtLimit(): void {
    this.exchange?.cancel();
    this.end('completed', null, true);
  }

  private endBody(): void {
    const body = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
    if (this.repeatsSecret([body])) return this.fail(unreadable(REPEATED), true);
    try {
      if (this.call.prompt.stream) this.read(this.translation.streams!.readFromWhole(body, this.headers));
      else this.whole = this.streams ? this.streams.fold(body) : this.translation.readWhole(body, this.headers);
    } catch (cause) {
      if (cause instanceof ProviderRefusal) return this.refused(cause.refusal, false);
      return this.fail(unreadable(cause), true);
    }
    if (this.reader) return this.endStream(this.reader);
    const { refusal, facts } = this.whole!;
    if (refusal) return this.refused(refusal, facts.usage !== null);
    this.end('completed', null, true);
  }

  /** What a provider was shown is for nobody else, whatever it answers. */
  private repeatsSecret(pieces: readonly Buffer[]): boolean {
    this.watch ??= new SecretWatch(this.secrets);
    return pieces.some((piece) => this.watch!.isIn(piece));
  }

  private get secrets(): readonly Secret[] {
    const { headers } = this.plan.target;
    const shown = secretsIn(this.shown);
    return headers.length === 0 ? shown : [...shown, ...headers.map(([, value]) => value)];
  }

  private get facts(): ReplyFacts {
    return this.reader?.facts ?? this.whole?.facts ?? noFacts();
  }

  private refused(refusal: Refusal, used: boolean): void {
    const { target } = this.plan;
    const { credential } = target;
    const retryAfter = refusal.retryAfterSeconds?.toString() ?? this.headers['retry-after']?.toString();
    const rest = restOf(refusal, retryAfter);
    const remaining = credential && rest && !target.seat ? this.credentials.rest(credential, rest.reason, rest.seconds) : null;
    this.fail(errorOfRefusal(withoutSecrets(refusal, this.secrets), target, retryAfter, remaining), used);
  }

  /** @param used something was answered, so something may be billed. */
  private fail(error: WeirError, used: boolean): void {
    this.exchange?.cancel();
    this.end(used ? 'cut' : 'failed', error, used);
  }

  /** The client is gone: the provider is cut off, and what it had begun is booked. */
  private leave(): void {
    if (this.ended) return;
    this.exchange?.cancel();
    this.end(this.sent ? 'cut' : 'failed', null, this.sent);
  }

  private end(status: Outcome['status'], error: WeirError | null, used: boolean): void {
    if (this.ended) return;
    this.ended = true;
    this.reply.onGone = null;
    this.reply.onDrain = null;
    const attempt = this.attemptEnded(error?.code ?? (status === 'completed' ? null : 'client_gone'));
    const attempts = this.refusedAttempt ? [this.refusedAttempt, attempt] : [attempt];
    const { facts, firstByteMs, whole, reader } = this;
    if (reader && this.repeatsSecret([Buffer.from(JSON.stringify([facts.usageRaw, facts.servedModel, facts.finishReason]))]))
      Object.assign(facts, { usageRaw: null, servedModel: null, finishReason: null });
    this.resolve({ status, error, used, facts, attempts, firstByteMs, whole, reader, repeatsSecret: (tail) => this.repeatsSecret([tail]) });
  }

  private attemptEnded(reason: string | null): Attempt {
    const { provider, credential } = this.plan.target;
    const latencyMs = Math.round((performance.now() - this.startedAt) * 1000) / 1000;
    return { provider, credential: credential?.id ?? null, status: this.status, reason, latencyMs };
  }
}

const REPEATED = 'it repeats the credential that it was shown';

const secretsByHeaders = new WeakMap<ShownHeaders, readonly Secret[]>();

/** What must not come back of the headers that show a credential. Most credentials are shown by the same ones each time. */
function secretsIn(shown: ShownHeaders): readonly Secret[] {
  let secrets = secretsByHeaders.get(shown);
  if (!secrets) {
    secrets = shown.filter((value, at) => at % 2 === 1 && value !== '').map((value) => new Secret(value.replace(/^Bearer /, '')));
    secretsByHeaders.set(shown, secrets);
  }
  return secrets;
}

const unreadable = (cause: unknown): WeirError => new WeirError('upstream_invalid_response', { cause });
