import { isGatewayTimeout } from '../../dialects/index.js';
import { type ErrorCode, WeirError } from '../../kernel/errors.js';
import { JsonCost } from '../../kernel/json-cost.js';
import { atOnce } from '../../kernel/slices.js';
import {
  type EgressError,
  type EgressRequest,
  type EgressSink,
  type Exchange,
  isAnswer,
  PlainReply,
  type Transport,
} from '../../platform/egress/index.js';
import type { Auth, ShownHeaders } from '../../providers/index.js';
import type { Target } from '../../routing/index.js';
import { noSoFar } from '../attempts/outcome.js';
import { ShownSecrets } from '../attempts/shown-secrets.js';
import { errorOfEgress, repeated, unreadable, wroteNothing } from '../attempts/upstream-errors.js';
import type { InFlightCall } from '../in-flight.js';
import type { RawReply } from './raw-reply.js';
import { returned } from './raw-request.js';

/** How a request went. */
export interface RawOutcome {
  /** `completed`: the whole answer came. `cut`: part of it, or nobody knows. `failed`: nothing that is charged. */
  status: 'completed' | 'cut' | 'failed';
  /** What the client is told; null: what the provider says, or nothing, as it is gone. */
  error: WeirError | null;
  /** The provider may have done what it was asked for. */
  used: boolean;
  /** The provider's HTTP status; null: none came. */
  providerStatus: number | null;
  /** An error code, or null when it went well. */
  reason: string | null;
  /** After its start, in ms. */
  firstByteMs: number | null;
  latencyMs: number;
  /** A whole answer in JSON. Null: it is another, or too large to be read. */
  json: unknown;
}

/** An answer up to these is read for its usage. Parsing takes less than 50 ms. */
const MAX_READ_BYTES = 8 * 1024 * 1024;
const MAX_READ_VALUES = 300_000;
/** Of the pieces before, what is searched again with the next one for a secret that was cut in two. */
const OVERLAP_BYTES = 4 * 1024;
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/i;

/** One request to a provider, as it came but for its credential: gives the client what comes, and ends in an outcome exactly once. */
export class RawAttempt implements EgressSink {
  private exchange: Exchange | null = null;
  private auth: Auth | null = null;
  private readonly startedAt = performance.now();
  private readonly secrets: ShownSecrets;
  private sent = false;
  private unmarked: WeirError | null = null;
  private status: number | null = null;
  private headers: Record<string, string> = {};
  private firstByteMs: number | null = null;
  private overlap: Buffer = Buffer.alloc(0);
  /** What is read for its usage; null: it is not. */
  private read: { chunks: Buffer[]; bytes: number; cost: JsonCost } | null = null;
  private ended = false;

  constructor(
    private readonly target: Target,
    private readonly flight: InFlightCall,
    private readonly reply: RawReply,
    private readonly transport: Transport,
    /** What the client is told beside the answer, once its status is known. */
    private readonly announce: (isCharged: boolean) => void,
    private readonly resolve: (outcome: RawOutcome) => void,
  ) {
    this.secrets = new ShownSecrets(target.headers);
  }

  /** @param authOf how the credential is shown; null: the provider takes none. */
  start(unsigned: EgressRequest, authOf: () => Auth | null): void {
    if (this.reply.gone) return this.breakOff(null);
    this.reply.onGone = () => this.breakOff(null);
    this.reply.onDrain = () => this.exchange?.resume();
    this.flight.cutOff = () => this.breakOff(null);
    void this.authorize(unsigned, authOf).catch((cause: unknown) => this.end('failed', asError(cause), false));
  }

  private async authorize(unsigned: EgressRequest, authOf: () => Auth | null): Promise<void> {
    this.auth = authOf();
    this.transmit(unsigned, (await this.auth?.headersFor(unsigned)) ?? []);
  }

  private transmit(unsigned: EgressRequest, shown: ShownHeaders): void {
    if (this.ended) return; // the client left while a token was fetched
    this.secrets.shown = shown;
    this.exchange = this.transport.send({ ...unsigned, headers: [...unsigned.headers, ...shown] }, new PlainReply(this));
  }

  /** The request is on its way still. */
  progress(): void {
    this.exchange?.progress();
  }

  /** The time of the request is over. */
  expire(): void {
    this.breakOff(new WeirError('upstream_timeout'));
  }

  onSending(): void {
    try {
      this.flight.sending(noSoFar, 0);
    } catch (error) {
      this.unmarked = asError(error);
      throw error; // takes the request back
    }
    this.sent = true;
  }

  onHead(status: number, headers: Record<string, string | string[] | undefined>): void {
    this.guarded(() => this.readHead(status, headers));
  }

  onData(chunk: Buffer): void {
    this.guarded(() => this.take(chunk));
  }

  onEnd(): void {
    this.guarded(() => this.conclude());
  }

  /** Whatever a callback throws ends this request, in order, and nothing else. */
  private guarded(run: () => void): void {
    if (this.ended) return;
    try {
      run();
    } catch (cause) {
      this.fail(asError(cause), this.sent && this.mayBeCharged);
    }
  }

  private readHead(status: number, headers: Record<string, string | string[] | undefined>): void {
    this.status = status;
    this.firstByteMs = performance.now() - this.startedAt;
    if (status >= 300 && status < 400) return this.fail(new WeirError('upstream_invalid_response', { message: REDIRECT }), false);
    if (status === 401) {
      this.auth?.renew?.(this.secrets.shown);
      return this.fail(
        new WeirError('provider_auth_failed', {
          message: `The provider "${this.target.provider}" refused the credential configured for it.`,
        }),
        false,
      );
    }
    if (headers['content-encoding'] !== undefined) return this.fail(unreadable('encoded'), this.mayBeCharged);
    this.headers = returned(headers);
    if (atOnce(this.secrets.areIn([Buffer.from(Object.values(this.headers).join('\n'))]))) return this.fail(repeated(), this.mayBeCharged);
    if (isAnswer(status) && JSON_TYPE.test(this.headers['content-type'] ?? '')) this.read = { chunks: [], bytes: 0, cost: new JsonCost() };
  }

  private take(chunk: Buffer): void {
    this.exchange?.progress();
    const piece = Buffer.concat([this.overlap, chunk]);
    if (atOnce(this.secrets.areIn([piece]))) return this.fail(repeated(), this.mayBeCharged);
    this.overlap = piece.subarray(-OVERLAP_BYTES);
    this.keep(chunk);
    this.beginReply();
    if (!this.reply.piece(chunk)) this.exchange?.pause();
  }

  onUnreadable(cause: Error): void {
    this.fail(unreadable(cause), this.mayBeCharged);
  }

  private conclude(): void {
    this.beginReply();
    const { status } = this;
    if (isAnswer(status)) this.end('completed', null, true);
    else this.end(isGatewayTimeout(status) ? 'cut' : 'failed', null, this.mayBeCharged, reasonOf(status!));
  }

  onError(error: EgressError): void {
    if (this.ended) return;
    // What broke the request on its way here is what is wrong with it.
    const own = this.unmarked ?? (error.cause instanceof WeirError ? error.cause : null);
    this.fail(own ?? errorOfEgress(error), own === null && this.sent && this.mayBeCharged && !wroteNothing(error));
  }

  /** A provider that refuses did nothing, unless a front of it waited in vain. */
  private get mayBeCharged(): boolean {
    return this.status === null || isAnswer(this.status) || isGatewayTimeout(this.status);
  }

  private beginReply(): void {
    if (this.reply.started) return;
    this.announce(this.mayBeCharged);
    this.reply.begin(this.status!, this.headers);
  }

  private keep(chunk: Buffer): void {
    const { read } = this;
    if (!read) return;
    read.bytes += chunk.length;
    read.cost.add(chunk);
    read.chunks.push(chunk);
    if (read.bytes > MAX_READ_BYTES || read.cost.total > MAX_READ_VALUES) this.read = null;
  }

  private breakOff(error: WeirError | null): void {
    if (!this.ended) this.fail(error, this.sent && this.mayBeCharged);
  }

  private fail(error: WeirError | null, used: boolean): void {
    this.exchange?.cancel();
    this.end(used ? 'cut' : 'failed', error, used, error?.code ?? 'client_gone');
  }

  private end(status: RawOutcome['status'], error: WeirError | null, used: boolean, reason: string | null = error?.code ?? null): void {
    if (this.ended) return;
    this.ended = true;
    this.reply.onGone = null;
    this.reply.onDrain = null;
    this.flight.cutOff = null;
    const latencyMs = Math.round((performance.now() - this.startedAt) * 1000) / 1000;
    const json = status === 'completed' && this.read ? parsed(Buffer.concat(this.read.chunks)) : null;
    this.resolve({ status, error, used, providerStatus: this.status, reason, firstByteMs: this.firstByteMs, latencyMs, json });
  }
}

const REDIRECT = 'The provider answered with a redirect, which is not followed.';

const asError = (cause: unknown): WeirError => (cause instanceof WeirError ? cause : new WeirError('internal_error', { cause }));

/** What a refusal that the client reads itself is called in the record of the call. */
function reasonOf(status: number): ErrorCode {
  if (status === 429) return 'upstream_rate_limited';
  if (isGatewayTimeout(status)) return 'upstream_timeout';
  return status < 500 ? 'invalid_request' : 'upstream_error';
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null;
  }
}
