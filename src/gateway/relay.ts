import { Inject, Injectable } from '@nestjs/common';
import { Admission, type AdmissionRequest, type Hold, rateHeaders } from '../budgets/index.js';
import { type CallRequest, type Conversion, noFacts, Unsupported } from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import { encodedText } from '../kernel/header-text.js';
import { hexOf, publicId } from '../kernel/ids.js';
import { formatUsd, type Nano, usdNumber } from '../kernel/money.js';
import { ownTurn } from '../kernel/slices.js';
import { NO_USAGE } from '../kernel/usage.js';
import { LedgerService, type Settlement } from '../ledger/index.js';
import { crashPoint } from '../platform/faults/index.js';
import { LOGGER, type Logger, logHotPath, Metrics } from '../platform/telemetry/index.js';
import { type Price, priceWithSound, ratesFor, storeRates } from '../prices/index.js';
import { type Plan, Router, type TargetPlan } from '../routing/index.js';
import type { Beyond } from './beyond-text.js';
import type { Call } from './call.js';
import { scopesOf } from './call-options.js';
import { Dispatcher, rewriteFor } from './dispatcher.js';
import { Estimates } from './estimates.js';
import { checkFit } from './fit-model.js';
import { InFlight, type InFlightCall } from './in-flight.js';
import { boundOf, guessOf, type InputSize, inputSize, storedBound } from './input-size.js';
import { type Outcome, type SoFar, type Untold, unforeseen } from './outcome.js';
import { permitted } from './policy/index.js';
import { PriceWatch } from './price-watch.js';
import { ReasoningMemory } from './reasoning-memory.js';
import { refinedInput } from './refine-input.js';
import type { Reply } from './reply.js';
import { isLong } from './request-body.js';
import { settlementOf } from './settlement.js';
import { Subscriptions } from './subscriptions.js';
import { Traffic } from './traffic.js';

/** What the call's budgets have left: once it is held, and once it is booked where the head of its answer is still to come. */
const REMAINING = 'x-weir-budget-remaining';

/** No model reads half as much. Pictures and the like are no text. */
const MAX_TEXT_BYTES = 8 * 1024 * 1024;
const TOO_MUCH_TEXT = 'The request has more than 8 MiB of text, which is more than any model reads. Send less in one request.';

/** The request lifecycle, read top to bottom. */
@Injectable()
export class Relay {
  constructor(
    private readonly router: Router,
    private readonly admission: Admission,
    private readonly dispatcher: Dispatcher,
    private readonly subscriptions: Subscriptions,
    private readonly ledger: LedgerService,
    private readonly inFlight: InFlight,
    private readonly memory: ReasoningMemory,
    private readonly estimates: Estimates,
    private readonly watch: PriceWatch,
    private readonly traffic: Traffic,
    private readonly metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Never rejects: whatever is thrown ends this call with its error, and no other. */
  run(call: Call, reply: Reply, plan?: Plan): Promise<void> {
    return this.serve(call, reply, plan)
      .catch((error: unknown) => {
        const refusal = error instanceof WeirError ? error : new WeirError('internal_error', { cause: error });
        this.fail(call, reply, refusal);
        this.report(call, refusal, null);
      })
      .catch((error: unknown) => this.log.error({ err: error, call: publicId('call', call.id) }, 'call'));
  }

  private async serve(call: Call, reply: Reply, known?: Plan): Promise<void> {
    if (isLong(call.prompt.inputTokensBound)) await ownTurn();
    const { targets } = known ?? this.router.plan(call.caller, call.prompt.model, call.prompt.maxOutputTokens, call.options.session); // 400 403 404
    const [planned] = targets;
    tellTarget(planned, reply);
    const prompt = permitted(call.prompt, call.endpoint, call.caller.tenantId, planned.target); // 400
    const counting = checkFit(call.caller.tenantId, call.prompt, planned.target); //       400
    if (counting !== null) await counting;
    const measured = inputSize(call.prompt, planned.target);
    const size = 'then' in measured ? await measured : measured;
    if (size.textBytes > MAX_TEXT_BYTES) throw new WeirError('request_too_large', { message: TOO_MUCH_TEXT }); // 413
    const subscription = planned.target.subscription && (await this.subscriptions.take(call.caller.tenantId, planned)); // 403 502 503 504
    const plan = subscription?.plan ?? planned;
    if (isLong(prompt.inputTokensBound)) await ownTurn();
    const way = this.way(call, prompt, plan); //                     400
    const hold = await this.admit(call, plan, way, size); //         402 422 429 503
    const estimate = (soFar: SoFar, seen: number) => this.estimates.checkpoint(call, plan, hold, soFar, seen);
    const flight = this.inFlight.begin(call.id, reply, hold.since, estimate);
    try {
      const send = (to: TargetPlan) => this.dispatcher.send(to, way, hold, call, flight);
      const answered = await this.attempt(flight, () => {
        crashPoint('hold_committed');
        this.announce(call, hold, reply);
        return subscription ? subscription.send(send) : send(plan); //                4xx 502 503 504: an outcome, never thrown after the hold
      });
      const asked = { feature: way.feature, heard: size.heard };
      const { outcome, settlement, served } = this.conclude(call, plan, hold, answered, asked);
      const booking = await this.ledger.settle(hold, settlement, () => flight.booked()); // commits before the tail leaves
      if (!booking.safe && !outcome.error) throw new WeirError('booking_delayed');
      crashPoint('settle_committed');
      if (booking.remaining !== null) reply.setHeader(REMAINING, formatUsd(booking.remaining));
      this.end(call, reply, outcome, settlement);
      this.watch.look(call, plan, settlement, served);
      this.traffic.count(plan.target, settlement);
      this.report(call, outcome.error, settlement, outcome.untold);
    } finally {
      this.inFlight.finish(flight);
    }
  }

  /**
   * A call that Weir answers without a provider, at no cost: it counts against the limits of its key, and is in the ledger, like any call.
   * @throws WeirError as calls do that are refused; anything that `work` throws.
   */
  async answer<Answer>(call: Call, plan: TargetPlan, work: () => Promise<Answer>): Promise<Answer> {
    const exposure = this.exposure(call, plan, { addedInputTokens: 0, leastOutputTokens: 0, compactsFrom: null, feature: null }, NO_INPUT);
    const hold = await this.admission.admit({ ...exposure, unpricedCost: 0n, maxCost: null, refineInput: async () => 0 });
    let outcome = unforeseen(null, false);
    try {
      const answer = await work();
      outcome = ANSWERED;
      return answer;
    } finally {
      await this.ledger.settle(hold, settlementOf(call, plan, hold, outcome, null, NOTHING_BEYOND, this.estimates), () => {});
    }
  }

  /** Never rejects: money is held, so the call has to be settled. */
  private async attempt(flight: InFlightCall, send: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await send();
    } catch (cause) {
      return unforeseen(cause, flight.sent);
    }
  }

  /** How the call is booked. What a provider reports and nobody can count is an estimate. */
  private conclude(call: Call, plan: TargetPlan, hold: Hold, outcome: Outcome, asked: Beyond): Conclusion {
    try {
      const served = this.router.servedPrice(call.caller.tenantId, plan.target, outcome.facts.servedModel);
      return { outcome, settlement: settlementOf(call, plan, hold, outcome, served, asked, this.estimates), served };
    } catch (cause) {
      const estimated = { ...unforeseen(cause, outcome.used), attempts: outcome.attempts };
      return { outcome: estimated, settlement: settlementOf(call, plan, hold, estimated, null, asked, this.estimates), served: null };
    }
  }

  /** Into the provider's format and back. */
  private way({ id, caller, format, thinkingLevel }: Call, prompt: CallRequest, { target }: TargetPlan): Conversion {
    const seconds = () => Math.floor(Date.now() / 1000);
    const { providerId, credential, dialects, quirks, model, modelRulesOf } = target;
    const memory = this.memory.of(caller.tenantId, providerId, credential?.id, model);
    return format.open(
      prompt,
      { dialects, quirks, thinkingLevel, modelRulesOf, memory },
      { id: hexOf(id), createdAt: seconds(), endedAt: seconds, model, items: this.memory.itemsOf(caller.tenantId) },
    );
  }

  /** What no money would make good is told before that there is not enough of it. A long request is not translated only to be refused. */
  private async admit(call: Call, plan: TargetPlan, way: Conversion, size: InputSize): Promise<Hold> {
    try {
      return await this.admission.admit(this.exposure(call, plan, way, size));
    } catch (denied) {
      if (denied instanceof WeirError && denied.status === 402 && !isLong(call.prompt.source?.text.length ?? 0))
        way.translation.encodeRequest(rewriteFor(call, plan.target, plan.maxOutputTokens));
      throw denied;
    }
  }

  private exposure(
    call: Call,
    plan: TargetPlan,
    way: Pick<Conversion, 'addedInputTokens' | 'leastOutputTokens' | 'compactsFrom' | 'feature'>,
    size: InputSize,
  ): AdmissionRequest {
    const { caller, prompt } = call;
    const { target } = plan;
    const { options } = call;
    const stored = storedBound(prompt, target);
    const guess = guessOf(size, way.addedInputTokens);
    const bound = Math.max(boundOf(size) + way.addedInputTokens, stored);
    const outputBound = Math.max(plan.maxOutputTokens, way.leastOutputTokens);
    // A summary of the conversation is one more call: it reads as much, and writes as much at most.
    const times = way.compactsFrom !== null && bound + outputBound > way.compactsFrom ? 2 : 1;
    return {
      callId: call.id,
      tenantId: caller.tenantId,
      scopes: [...caller.scopes, ...scopesOf(options, target.provider, plan.countedModels, prompt.endUser)],
      price: target.price && size.heard ? priceWithSound(target.price) : target.price,
      unbounded: way.feature,
      lent: target.lent,
      unpricedCost: caller.unpricedCallCost,
      inputTokensBound: times * bound,
      refineInput: async () => times * Math.max((await refinedInput(caller.tenantId, prompt, size, target)) + way.addedInputTokens, stored),
      outputTokensBound: outputBound,
      leastOutputTokens: plan.leastOutputTokens && Math.max(plan.leastOutputTokens, way.leastOutputTokens),
      choices: times * prompt.choices,
      maxCost: least(options.maxCost, caller.maxCallCost),
      shrinkToFit: options.shrinkToFit || caller.shrinksToFit,
      context: {
        deadline_ms: this.ledger.deadlineMs,
        project: caller.projectId,
        key: caller.apiKeyId,
        surface: call.endpoint,
        stream: prompt.stream,
        requested_model: plan.reference,
        provider: target.provider,
        provider_id: target.providerId,
        lent: target.lent,
        model: target.model,
        credential: target.credential?.id ?? null,
        price: target.price?.id ?? null,
        rates: target.price && storeRates(ratesFor(target.price, guess)),
        input_tokens: guess,
        ...(prompt.endUser !== null && { end_user: prompt.endUser }),
        ...(options.session !== null && { session: options.session }),
        ...(options.tags.length > 0 && { tags: options.tags }),
        ...(options.scopeKeys.length > 0 && { scopes: options.scopeKeys }),
      },
    };
  }

  /** What the client is told of its hold. */
  private announce({ prompt }: Call, hold: Hold, reply: Reply): void {
    if (hold.maxOutputTokens !== prompt.maxOutputTokens) reply.setHeader('x-weir-max-tokens', String(hold.maxOutputTokens));
    if (hold.remaining !== null) reply.setHeader(REMAINING, formatUsd(hold.remaining));
    if (hold.warnedPercent !== null) reply.setHeader('x-weir-budget-warning', `${hold.warnedPercent}% of a budget is spent`);
    if (hold.rates) for (const [name, value] of Object.entries(rateHeaders(hold.rates))) reply.setHeader(name, value);
  }

  /** The call is booked: the client may have the end of its answer. */
  private end(call: Call, reply: Reply, outcome: Outcome, settlement: Settlement): void {
    reply.setHeader('x-weir-attempts', String(outcome.attempts.length));
    if (reply.gone) return;
    if (outcome.error) return this.fail(call, reply, outcome.error);
    if (outcome.reader) {
      const tail = outcome.reader.tail(settlement.usage, settlement.amount === null ? null : usdNumber(settlement.amount));
      return outcome.repeatsSecret(tail) ? reply.fail(new WeirError('upstream_invalid_response')) : reply.endStream(tail);
    }
    if (settlement.amount !== null) reply.setHeader('x-weir-cost', formatUsd(settlement.amount));
    reply.setHeader('openai-processing-ms', String(Math.round(settlement.durationMs)));
    reply.json(200, outcome.whole!.render(settlement.usage));
  }

  /** What this model cannot do, others of the caller's may. */
  private fail({ caller }: Call, reply: Reply, error: WeirError): void {
    reply.fail(error instanceof Unsupported ? error.naming(this.router.able(caller, error.isAble)) : error);
  }

  private report(call: Call, error: WeirError | null, settlement: Settlement | null, untold?: Untold): void {
    const status = settlement?.httpStatus ?? error!.status;
    const ms = call.elapsedMs();
    this.metrics.countCall(status, ms / 1000, error?.code);
    const { caller, prompt } = call;
    const beyond = settlement?.rates?.['beyond_text'];
    if (beyond !== undefined) this.metrics.countBeyondText();
    const facts = {
      call: publicId('call', call.id),
      tenant: publicId('tenant', caller.tenantId),
      key: publicId('apiKey', caller.apiKeyId),
      model: prompt.model,
      stream: prompt.stream,
      status,
      error: error?.code,
      cause: error ? describe(error.cause) : undefined,
      cost: settlement?.amount == null ? undefined : formatUsd(settlement.amount),
      estimated: settlement?.estimated ? (untold ?? true) : undefined,
      beyond_text: beyond === undefined ? undefined : formatUsd(BigInt(beyond)),
      ms: Math.round(ms * 10) / 10,
    };
    if (error?.code === 'internal_error') this.log.error({ ...facts, err: error.cause }, 'call');
    else logHotPath(this.log, facts, 'call');
  }
}

/** What became of a call, and the price of the model that was served in place of the one asked for. */
interface Conclusion {
  outcome: Outcome;
  settlement: Settlement;
  served: Price | null;
}

const NOTHING_BEYOND: Beyond = { feature: null, heard: false };
const NO_INPUT: InputSize = { textBytes: 0, mediaTokens: 0, heard: false };
const ANSWERED: Outcome = {
  ...unforeseen(null, true),
  status: 'completed',
  error: null,
  facts: { ...noFacts(), usage: NO_USAGE, usageIsFinal: true },
};

const least = (a: Nano | null, b: Nano | null): Nano | null => (a === null ? b : b === null || a < b ? a : b);

/** A cause in a few words for the log. */
function describe(cause: unknown): string | undefined {
  if (cause === undefined || cause === null) return undefined;
  const code = (cause as { code?: unknown }).code;
  return cause instanceof Error
    ? `${typeof code === 'string' ? `${code}: ` : ''}${cause.message}`.slice(0, 300)
    : String(cause).slice(0, 300);
}

function tellTarget({ reference, target }: TargetPlan, reply: Reply): void {
  reply.setHeader('x-weir-model', encodedText(reference));
  reply.setHeader('x-weir-provider', encodedText(target.provider));
}
