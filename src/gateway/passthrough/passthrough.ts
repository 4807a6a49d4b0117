import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../api-keys/index.js';
import type { CallFormat } from '../../dialects/index.js';
import { type ErrorCode, WeirError } from '../../kernel/errors.js';
import { encodedText } from '../../kernel/header-text.js';
import { type Id, newId, publicId } from '../../kernel/ids.js';
import { formatUsd, type Nano } from '../../kernel/money.js';
import { LedgerService } from '../../ledger/index.js';
import { CONFIG, type Config } from '../../platform/config/index.js';
import { Egress, type EgressRequest } from '../../platform/egress/index.js';
import { crashPoint } from '../../platform/faults/index.js';
import { readRest } from '../../platform/listener/index.js';
import { LOGGER, type Logger, logHotPath, Metrics } from '../../platform/telemetry/index.js';
import { CredentialAuths, Identities } from '../../providers/index.js';
import { Admission, ApprovalNeeded, type Hold, rateHeaders } from '../../quotas/index.js';
import { statusFor } from '../agents.js';
import { type CallOptions, labelsOf } from '../call-options.js';
import { InFlight, type InFlightCall } from '../in-flight.js';
import { RequestAuth } from '../request-auth.js';
import type { Handler } from '../surfaces/surface.js';
import { Traffic } from '../traffic.js';
import { RawAttempt, type RawOutcome } from './raw-attempt.js';
import { bodyOf } from './raw-body.js';
import { RawReply } from './raw-reply.js';
import { forwarded, permittedQuery, readTarget } from './raw-request.js';
import { settlementOf } from './raw-settlement.js';
import { type RawTarget, RawTargets } from './raw-targets.js';

/** As the ledger names it. */
const ENDPOINT = 'passthrough';

/** One request that is passed through. */
interface Passed {
  id: Id;
  caller: Caller;
  options: CallOptions;
  receivedAt: number;
  to: RawTarget;
  unsigned: EgressRequest;
  /** Whose body is on its way. */
  request: IncomingMessage;
}

/**
 * Requests to a provider's own API, as they are: each is held for its price before it is sent, and booked after it, once, as calls of models are.
 * Nothing is tried a second time, for nobody knows what a request does.
 */
@Injectable()
export class Passthrough {
  private readonly auths: CredentialAuths;

  constructor(
    private readonly auth: RequestAuth,
    private readonly targets: RawTargets,
    private readonly admission: Admission,
    private readonly ledger: LedgerService,
    private readonly inFlight: InFlight,
    private readonly egress: Egress,
    private readonly traffic: Traffic,
    private readonly metrics: Metrics,
    @Inject(CONFIG) private readonly config: Pick<Config, 'timeouts'>,
    @Inject(LOGGER) private readonly log: Logger,
    identities: Identities,
  ) {
    this.auths = new CredentialAuths(egress, identities);
  }

  /** @param formatFor the format of errors. */
  handler(formatFor: (request: FastifyRequest) => CallFormat): Handler {
    return (request, reply) => this.handle(request, reply, formatFor(request));
  }

  /** Rejects with a WeirError for what Fastify's error handler is to answer. */
  private async handle(request: FastifyRequest, reply: FastifyReply, format: CallFormat): Promise<unknown> {
    const { caller, options } = this.auth.verify(request);
    this.checkOptions(options);
    const asked = readTarget(request.method, request.raw.url!);
    const to = this.targets.find(caller, asked, options.session);
    const query = permittedQuery(asked.query, to.rule);
    let attempt: RawAttempt | null = null;
    const stream = bodyOf(request.raw, () => attempt?.progress());
    if (stream && asked.method === 'GET')
      throw new WeirError('invalid_request', { message: 'A GET that is passed through has no body. Leave it out.' });
    const length = request.headers['content-length'];
    const { target } = to;
    const unsigned: EgressRequest = {
      method: asked.method,
      origin: target.origin,
      path: asked.path + query,
      headers: [
        ...forwarded(request.headers),
        ...(stream && length !== undefined ? ['content-length', length] : []),
        ...['accept-encoding', 'identity', 'user-agent', 'weir'],
        ...target.headers.flatMap(([name, value]) => [name, value.reveal()]),
      ],
      body: '',
      stream,
    };
    const passed: Passed = { id: newId(), caller, options, receivedAt: performance.now(), to, unsigned, request: request.raw };
    reply.hijack();
    const raw = new RawReply(reply.raw, format, publicId('call', passed.id), (error) => statusFor(error, request.headers, format.errors));
    raw.setHeader('x-weir-provider', encodedText(target.provider));
    void this.run(passed, raw, (begun) => (attempt = begun)).catch((cause: unknown) => {
      readRest(request.raw);
      this.refuse(passed, raw, cause instanceof WeirError ? cause : new WeirError('internal_error', { cause }));
    });
    return reply;
  }

  /** @throws WeirError loop_detected, invalid_request */
  private checkOptions({ via, idempotencyKey, timeoutMs }: CallOptions): void {
    if (this.egress.name !== null && via?.includes(this.egress.name)) throw new WeirError('loop_detected');
    if (idempotencyKey !== null)
      throw new WeirError('invalid_request', {
        param: 'Idempotency-Key',
        message: 'A request that is passed through is not kept, so an Idempotency-Key cannot be obeyed. Leave it out.',
      });
    const { totalMs } = this.config.timeouts;
    if (timeoutMs !== null && timeoutMs > totalMs)
      throw new WeirError('invalid_request', {
        param: 'x-weir-timeout-ms',
        message: `The header "x-weir-timeout-ms" must be at most ${totalMs}: a call takes no longer here.`,
      });
  }

  /** Held, sent, booked. @throws WeirError what the client is told, if it was told nothing yet */
  private async run(passed: Passed, reply: RawReply, onBegin: (attempt: RawAttempt) => void): Promise<void> {
    const hold = await this.hold(passed); // 402 422 429 503
    crashPoint('hold_committed');
    const flight = this.inFlight.begin(hold.callId, reply, hold.since, () => null);
    try {
      this.announce(hold, reply);
      const outcome = await this.send(passed, reply, flight, onBegin);
      const settlement = settlementOf(passed.to, hold, outcome, elapsed(passed));
      const booking = await this.ledger.settle(hold, settlement, () => flight.booked()); // commits before the end leaves
      crashPoint('settle_committed');
      this.traffic.count({ type: passed.to.target.type, price: null }, settlement, elapsed(passed) - settlement.durationMs);
      if (!booking.safe && outcome.error === null) throw new WeirError('booking_delayed');
      if (outcome.error) throw outcome.error;
      if (!reply.gone) reply.finish();
      this.report(passed, settlement.httpStatus, settlement.errorCode, settlement.amount);
    } finally {
      this.inFlight.finish(flight);
    }
  }

  private async hold({ id, caller, options, to: { rule, target } }: Passed): Promise<Hold> {
    try {
      return await this.admission.admit({
        callId: id,
        tenantId: caller.tenantId,
        scopes: [...caller.scopes, { kind: 'provider', value: target.provider }, ...labelsOf(options, null)],
        price: null,
        unbounded: null,
        allowed: null,
        lent: false,
        fixedCost: rule.price,
        unpricedCost: caller.unpricedCallCost,
        inputTokensBound: 0,
        refineInput: async () => 0,
        outputTokensBound: 0,
        minOutputTokens: 0,
        leastOutputTokens: null,
        choices: 1,
        maxCost: least(options.maxCost, caller.maxCallCost),
        shrinkToFit: false,
        approval: null,
        context: {
          deadline_ms: this.ledger.deadlineMs,
          project: caller.projectId,
          key: caller.apiKeyId,
          surface: ENDPOINT,
          stream: false,
          requested_model: `${target.provider}/${target.model}`,
          provider: target.provider,
          provider_id: target.providerId,
          lent: false,
          model: target.model,
          credential: target.credential?.id ?? null,
          price: null,
          rates: null,
          input_tokens: 0,
          ...(options.session !== null && { session: options.session }),
          ...(options.tags.length > 0 && { tags: options.tags }),
          ...(options.scopeKeys.length > 0 && { scopes: options.scopeKeys }),
        },
      });
    } catch (denied) {
      // Requests that are passed through are not approved one by one.
      if (denied instanceof WeirError && denied.cause instanceof ApprovalNeeded) throw denied.cause.denied;
      if (denied instanceof WeirError && denied.code === 'model_not_priced') throw denied.with({ message: NOT_PRICED });
      throw denied;
    }
  }

  /** Never rejects: money is held, so the request has to be booked. */
  private async send(
    { to, unsigned, options, request, ...passed }: Passed,
    reply: RawReply,
    flight: InFlightCall,
    onBegin: (attempt: RawAttempt) => void,
  ) {
    const { rule, target } = to;
    const announce = (isCharged: boolean) => {
      if (rule.price !== null) reply.setHeader('x-weir-cost', formatUsd(isCharged ? rule.price : 0n));
    };
    let timer: NodeJS.Timeout | undefined;
    const outcome = await new Promise<RawOutcome>((resolve) => {
      const attempt = new RawAttempt(target, flight, reply, this.egress, announce, resolve);
      onBegin(attempt);
      if (options.timeoutMs !== null) timer = setTimeout(() => attempt.expire(), Math.max(0, options.timeoutMs - elapsed(passed)));
      attempt.start(unsigned, () => target.credential && this.auths.of(target.credential, target.auth, target.origin));
    });
    clearTimeout(timer);
    unsigned.stream?.destroy();
    readRest(request);
    return outcome;
  }

  /** What the client is told of its hold. */
  private announce({ remaining, warnedPercent, rates }: Hold, reply: RawReply): void {
    if (remaining !== null) reply.setHeader('x-weir-budget-remaining', formatUsd(remaining));
    if (warnedPercent !== null) reply.setHeader('x-weir-budget-warning', `${warnedPercent}% of a budget is spent`);
    if (rates) for (const [name, value] of Object.entries(rateHeaders(rates))) reply.setHeader(name, value);
  }

  private refuse(passed: Passed, reply: RawReply, error: WeirError): void {
    reply.fail(error);
    this.report(passed, error.status, error.code, null, error);
  }

  private report(passed: Passed, status: number, code: string | null, amount: Nano | null, error?: WeirError): void {
    const ms = elapsed(passed);
    this.metrics.countCall(status, ENDPOINT, false, ms / 1000, code ?? undefined);
    const { caller, id, to } = passed;
    const facts = {
      call: publicId('call', id),
      tenant: publicId('tenant', caller.tenantId),
      key: publicId('apiKey', caller.apiKeyId),
      model: `${to.target.provider}/${to.target.model}`,
      status,
      error: code ?? undefined,
      cost: amount === null ? undefined : formatUsd(amount),
      ms: Math.round(ms * 10) / 10,
    };
    if (error?.code === INTERNAL) this.log.error({ ...facts, err: error.cause }, 'call');
    else logHotPath(this.log, facts, 'call');
  }
}

const INTERNAL: ErrorCode = 'internal_error';
const NOT_PRICED =
  'The egress rule has no price for a request, so its cost cannot be bounded, and a hard budget or a cost limit applies. Set "price" in the rule: POST /v1/organization/egress_rules/{id}.';

const elapsed = ({ receivedAt }: Pick<Passed, 'receivedAt'>): number => performance.now() - receivedAt;
const least = (a: Nano | null, b: Nano | null): Nano | null => (a === null ? b : b === null || a < b ? a : b);
