import { Inject, Injectable } from '@nestjs/common';
import { type CallRequest, type Conversion, noFacts, Unsupported } from '../dialects/index.js';
import { type ErrorCode, WeirError } from '../kernel/errors.js';
import { encodedText } from '../kernel/header-text.js';
import { hexOf, newId, publicId } from '../kernel/ids.js';
import { formatUsd, type Nano, usdNumber } from '../kernel/money.js';
import { ownTurn } from '../kernel/slices.js';
import { NO_USAGE } from '../kernel/usage.js';
import { type Attempt, LedgerService, type Settlement } from '../ledger/index.js';
import { crashPoint } from '../platform/faults/index.js';
import { LOGGER, type Logger, logHotPath, Metrics } from '../platform/telemetry/index.js';
import { type Price, priceWithSound, ratesFor, storeRates } from '../prices/index.js';
import { Admission, type AdmissionRequest, type Hold, rateHeaders } from '../quotas/index.js';
import { type Plan, Router, type TargetPlan } from '../routing/index.js';
import { type Outcome, type SoFar, type Untold, unforeseen } from './attempts/outcome.js';
import { Attempts, rewriteFor, type TargetRun } from './attempts/send.js';
import { Subscriptions } from './attempts/subscriptions.js';
import { Tries } from './attempts/tries.js';
import type { Beyond } from './beyond-text.js';
import type { Call } from './call.js';
import { scopesOf } from './call-options.js';
import { Estimates } from './estimates.js';
import { checkFit } from './fit-model.js';
import { InFlight, type InFlightCall } from './in-flight.js';
import { boundOf, guessOf, type InputSize, inputSize, storedBound } from './input-size.js';
import { PlanRecord } from './plan-record.js';
import { permitted } from './policy/index.js';
import { PriceWatch } from './price-watch.js';
import { ReasoningMemory } from './reasoning-memory.js';
import { refinedInput } from './refine-input.js';
import type { Reply } from './reply.js';
import { isLong } from './request-body.js';
import { settlementOf } from './settlement.js';
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
    private readonly attempts: Attempts,
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
      .catch((error: unknown) => this.refuse(call, reply, error))
      .catch((error: unknown) => this.log.error({ err: error, call: publicId('call', call.id) }, 'call'));
  }

  /** Ends a call that is not made with its error. */
  refuse(call: Call, reply: Reply, error: unknown): void {
    const refusal = error instanceof WeirError ? error : new WeirError('internal_error', { cause: error });
    this.fail(call, reply, refusal);
    this.report(call, refusal, null);
  }

  private async serve(call: Call, reply: Reply, known?: Plan): Promise<void> {
    if (isLong(call.prompt.inputTokensBound)) await ownTurn();
    const plan = known ?? this.router.plan(call.caller, call.planned); // 400 403 404
    const tries = new Tries(plan.policy, call, this.ledger.deadlineMs);
    tries.start(reply);
    const flights: InFlightCall[] = [];
    try {
      await this.tryTargets(call, reply, plan, tries, flights);
    } finally {
      tries.stop();
      for (const flight of flights) this.inFlight.finish(flight);
    }
  }

  /** One target after the other, each with money held for itself, until one answers. A target that cannot be tried is passed over. */
  private async tryTargets(call: Call, reply: Reply, plan: Plan, tries: Tries, flights: InFlightCall[]): Promise<void> {
    const faults: TargetFault[] = [];
    const record = new PlanRecord(call, plan);
    let last: Concluded | null = null;
    let spent: Nano = 0n;
    for (const [at, planned] of plan.targets.entries()) {
      tries.beginTarget(plan.targets.length - 1 - at, reply);
      let held: HeldTarget;
      try {
        held = await this.hold(call, reply, plan, this.attempts.ready(planned, call), { number: flights.length + 1, spent }); // 4xx 502 503 504
      } catch (error) {
        if (!(error instanceof WeirError) || NOT_OF_A_TARGET.has(error.code)) throw error;
        faults.push({ reference: planned.reference, error });
        record.refuse(at, error);
        continue;
      }
      flights.push(held.flight);
      const { flight, hold, asked } = held;
      const outcome = await this.attempt(flight, () => {
        crashPoint('hold_committed');
        this.announce(call, hold, reply);
        return this.attempts.run({ ...held, call, reply, tries }); // 4xx 502 503 504: an outcome, never thrown after the hold
      });
      const moves = tries.goesOn(outcome, reply, flight);
      last = this.conclude(call, held.plan, hold, outcome, asked, moves);
      const { settlement } = last;
      settlement.plan = record.book(at, hold, tries.sent, last.outcome, settlement, moves);
      const booking = await this.ledger.settle(hold, settlement, () => flight.booked()); // commits before the tail leaves
      call.trace?.settled(settlement, booking);
      if (!booking.safe && !last.outcome.error) {
        reply.recorder?.leaveToLedger();
        throw new WeirError('booking_delayed');
      }
      crashPoint('settle_committed');
      if (booking.remaining !== null) reply.setHeader(REMAINING, formatUsd(booking.remaining));
      this.watch.look(call, held.plan, settlement, last.served);
      this.traffic.count(held.plan.target, settlement, call.elapsedMs() - settlement.durationMs);
      if (last.outcome.error) faults.push({ reference: planned.reference, error: last.outcome.error });
      if (!moves || !booking.booked) break;
      spent += settlement.amount ?? 0n;
      reply.recorder?.goesOn();
    }
    if (last === null) throw errorOfAll(faults, plan, faults.at(-1)!.error, 0);
    const { error } = last.outcome;
    const outcome = error ? { ...last.outcome, error: errorOfAll(faults, plan, error, tries.attempts.length) } : last.outcome;
    const { amount } = last.settlement;
    const cost = amount === null ? null : amount + spent;
    const ending = this.end(call, reply, outcome, last.settlement, cost);
    if (ending instanceof Promise) await ending;
    this.report(call, outcome.error, last.settlement, outcome.untold, { cost, attempts: tries.attempts });
  }

  /** Everything that comes before money moves, and the money. @param before number: of the hold among those of the call, from 1. spent: by those before it. */
  private async hold(
    call: Call,
    reply: Reply,
    { requestedModel }: Plan,
    planned: TargetPlan,
    { number, spent }: { number: number; spent: Nano },
  ): Promise<HeldTarget> {
    tellTarget(planned, reply);
    const { tenantId } = call.caller;
    const prompt = permitted(call.prompt, call.endpoint, tenantId, planned.target); // 400
    const counting = checkFit(tenantId, call.prompt, planned.target); //       400
    if (counting !== null) await counting;
    const measured = inputSize(call.prompt, planned.target);
    const size = 'then' in measured ? await measured : measured;
    if (size.textBytes > MAX_TEXT_BYTES) throw new WeirError('request_too_large', { message: TOO_MUCH_TEXT }); // 413
    const subscription = planned.target.subscription && (await this.subscriptions.take(tenantId, planned)); // 403 502 503 504
    const plan = subscription?.plan ?? planned;
    if (isLong(prompt.inputTokensBound)) await ownTurn();
    const convert = (to: TargetPlan) => this.conversion(call, prompt, to);
    const conversion = convert(plan); //                     400
    const exposure = this.exposure(call, requestedModel, plan, conversion, size);
    const askedAt = call.elapsedMs();
    const hold = await this.admit(call, plan, conversion, number === 1 ? exposure : ofLaterTarget(exposure, number, spent)); // 402 422 429 503
    this.traffic.held(call, askedAt, number === 1);
    call.trace?.held(hold);
    const estimate = (soFar: SoFar, seen: number) => this.estimates.checkpoint(call, plan, hold, soFar, seen);
    const flight = this.inFlight.begin(hold.callId, reply, hold.since, estimate);
    return { plan, subscription, conversion, convert, hold, flight, asked: { feature: conversion.feature, heard: size.heard } };
  }

  /**
   * A call that Weir answers without a provider, at no cost: it counts against the limits of its key, and is in the ledger, like any call.
   * @throws WeirError as calls do that are refused; anything that `work` throws.
   */
  async answer<Answer>(call: Call, plan: TargetPlan, work: () => Promise<Answer>): Promise<Answer> {
    const exposure = this.exposure(call, plan.reference, plan, NOTHING_ADDED, NO_INPUT);
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

  /** How the attempts at a target are booked. What a provider reports and nobody can count is an estimate. @param moved the call goes on to another target. */
  private conclude(call: Call, plan: TargetPlan, hold: Hold, outcome: Outcome, asked: Beyond, moved: boolean): Concluded {
    const book = (booked: Outcome, served: Price | null) => {
      const settlement = settlementOf(call, plan, hold, booked, served, asked, this.estimates);
      const last = booked.attempts.at(-1);
      // The cost of an only attempt is the call's.
      if (last && settlement.state === 'settled' && (moved || booked.attempts.length > 1)) last.amount = settlement.amount;
      return { outcome: booked, settlement: { ...settlement, moved, credential: last?.credential }, served };
    };
    try {
      return book(outcome, this.router.servedPrice(call.caller.tenantId, plan.target, outcome.facts.servedModel));
    } catch (cause) {
      return book({ ...unforeseen(cause, outcome.used), attempts: outcome.attempts }, null);
    }
  }

  /** Into the provider's format and back. */
  private conversion({ id, caller, format, thinkingLevel }: Call, prompt: CallRequest, { target }: TargetPlan): Conversion {
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
  private async admit(call: Call, plan: TargetPlan, { translation }: Conversion, exposure: AdmissionRequest): Promise<Hold> {
    try {
      return await this.admission.admit(exposure);
    } catch (denied) {
      if (denied instanceof WeirError && denied.status === 402 && !isLong(call.prompt.source?.text.length ?? 0))
        translation.encodeRequest(rewriteFor(call, plan.target, plan.maxOutputTokens));
      throw denied;
    }
  }

  private exposure(call: Call, requestedModel: string, plan: TargetPlan, added: Added, size: InputSize): AdmissionRequest {
    const { caller, prompt } = call;
    const { target } = plan;
    const { options } = call;
    const stored = storedBound(prompt, target);
    const guess = guessOf(size, added.addedInputTokens);
    const bound = Math.max(boundOf(size) + added.addedInputTokens, stored);
    const outputBound = Math.max(plan.maxOutputTokens, added.leastOutputTokens);
    // A summary of the conversation is one more call: it reads as much, and writes as much at most.
    const times = added.compactsFrom !== null && bound + outputBound > added.compactsFrom ? 2 : 1;
    return {
      callId: call.id,
      tenantId: caller.tenantId,
      scopes: [...caller.scopes, ...scopesOf(options, target.provider, plan.countedModels, prompt.endUser)],
      price: target.price && size.heard ? priceWithSound(target.price) : target.price,
      unbounded: added.feature,
      lent: target.lent,
      unpricedCost: caller.unpricedCallCost,
      inputTokensBound: times * bound,
      refineInput: async () =>
        times * Math.max((await refinedInput(caller.tenantId, prompt, size, target)) + added.addedInputTokens, stored),
      outputTokensBound: outputBound,
      minOutputTokens: added.leastOutputTokens,
      leastOutputTokens: plan.leastOutputTokens && Math.max(plan.leastOutputTokens, added.leastOutputTokens),
      choices: times * prompt.choices,
      maxCost: least(options.maxCost, caller.maxCallCost),
      shrinkToFit: options.shrinkToFit || caller.shrinksToFit,
      context: {
        deadline_ms: this.ledger.deadlineMs,
        project: caller.projectId,
        key: caller.apiKeyId,
        surface: call.endpoint,
        stream: prompt.stream,
        requested_model: requestedModel,
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
    reply.dropHeaders(HEADERS_OF_HOLD);
    if (hold.maxOutputTokens !== prompt.maxOutputTokens) reply.setHeader('x-weir-max-tokens', String(hold.maxOutputTokens));
    if (hold.remaining !== null) reply.setHeader(REMAINING, formatUsd(hold.remaining));
    if (hold.warnedPercent !== null) reply.setHeader('x-weir-budget-warning', `${hold.warnedPercent}% of a budget is spent`);
    if (hold.rates) for (const [name, value] of Object.entries(rateHeaders(hold.rates))) reply.setHeader(name, value);
  }

  /** The call is booked: the client may have the end of its answer. A promise: once it is kept for repeats. */
  private end(call: Call, reply: Reply, outcome: Outcome, settlement: Settlement, cost: Nano | null): void | Promise<void> {
    // Who left may come back for an answer that is kept.
    if (reply.gone && !(reply.recorder && outcome.status === 'completed')) return;
    if (outcome.error) return this.fail(call, reply, outcome.error);
    if (outcome.reader) {
      const tail = outcome.reader.tail(settlement.usage, cost === null ? null : usdNumber(cost));
      return outcome.repeatsSecret(tail) ? reply.fail(new WeirError('upstream_invalid_response')) : reply.endStream(tail);
    }
    if (cost !== null) reply.setHeader('x-weir-cost', formatUsd(cost));
    reply.setHeader('openai-processing-ms', String(Math.round(settlement.durationMs)));
    return reply.answer(outcome.whole!.render(settlement.usage));
  }

  /** What this model cannot do, others of the caller's may. */
  private fail({ caller }: Call, reply: Reply, error: WeirError): void {
    reply.fail(error instanceof Unsupported ? error.naming(this.router.able(caller, error.isAble)) : error);
  }

  private report(call: Call, error: WeirError | null, settlement: Settlement | null, untold?: Untold, made: Made = NOTHING_MADE): void {
    const status = settlement?.httpStatus ?? error!.status;
    const ms = call.elapsedMs();
    call.trace?.end(status, error);
    this.metrics.countCall(status, call.endpoint, call.prompt.stream, ms / 1000, error?.code);
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
      cost: made.cost === null ? undefined : formatUsd(made.cost),
      // What happened on the way: which provider answered in the end, and why others did not.
      ...(made.attempts.length > 1 && { attempts: made.attempts.map(({ provider, status, reason }) => `${provider} ${reason ?? status}`) }),
      estimated: settlement?.estimated ? (untold ?? true) : undefined,
      beyond_text: beyond === undefined ? undefined : formatUsd(BigInt(beyond)),
      trace: call.trace?.id,
      ms: Math.round(ms * 10) / 10,
    };
    if (error?.code === 'internal_error') this.log.error({ ...facts, err: error.cause }, 'call');
    else logHotPath(this.log, facts, 'call');
  }
}

/** What a call cost, and what it took. */
interface Made {
  cost: Nano | null;
  attempts: readonly Attempt[];
}

const NOTHING_MADE: Made = { cost: null, attempts: [] };

/** A target that money is held for. */
type HeldTarget = Pick<TargetRun, 'plan' | 'subscription' | 'conversion' | 'convert' | 'hold' | 'flight'> & { asked: Beyond };

/** What became of a call at one target, and the price of the model that was served in place of the one asked for. */
interface Concluded {
  outcome: Outcome;
  settlement: Settlement;
  served: Price | null;
}

/** What no other target would fix. */
const NOT_OF_A_TARGET: ReadonlySet<ErrorCode> = new Set(['ledger_unavailable', 'overloaded', 'internal_error', 'request_too_large']);

/** Why a target did not answer. */
interface TargetFault {
  reference: string;
  error: WeirError;
}

/**
 * What the client is told: the error of the last attempt, which names all targets where there are several. An SDK is not to repeat what was
 * repeated here.
 */
function errorOfAll(faults: readonly TargetFault[], { skipped }: Plan, error: WeirError, attempts: number): WeirError {
  const repeated = attempts > 1 && error.retry ? { retry: false } : {};
  const each = [
    ...skipped.map(({ model, reason }) => `"${model}": ${reason}`),
    ...faults.map((fault) => `"${fault.reference}": ${fault.error.message} (${fault.error.code})`),
  ];
  if (each.length === 1) return 'retry' in repeated ? error.with(repeated) : error;
  return error.with({ message: `None of the ${each.length} models answered. ${each.join(' ')}`, ...repeated });
}

/** The hold of a call for another target than its first: with an id of its own, and said to be of that call. */
const ofLaterTarget = (exposure: AdmissionRequest, number: number, spent: Nano): AdmissionRequest => ({
  ...exposure,
  callId: newId(),
  maxCost: exposure.maxCost === null ? null : larger(exposure.maxCost - spent, 0n),
  context: { ...exposure.context, call: exposure.callId, attempt: number },
});

const HEADERS_OF_HOLD = [
  'x-weir-max-tokens',
  REMAINING,
  'x-weir-budget-warning',
  ...['requests', 'tokens'].flatMap((unit) => ['limit', 'remaining', 'reset'].map((what) => `x-ratelimit-${what}-${unit}`)),
];

/** What a conversion adds to what is asked for. */
type Added = Pick<Conversion, 'addedInputTokens' | 'leastOutputTokens' | 'compactsFrom' | 'feature'>;

const NOTHING_ADDED: Added = { addedInputTokens: 0, leastOutputTokens: 0, compactsFrom: null, feature: null };
const NOTHING_BEYOND: Beyond = { feature: null, heard: false };
const NO_INPUT: InputSize = { textBytes: 0, mediaTokens: 0, heard: false };
const ANSWERED: Outcome = {
  ...unforeseen(null, true),
  status: 'completed',
  error: null,
  facts: { ...noFacts(), usage: NO_USAGE, usageIsFinal: true },
};

const larger = (a: Nano, b: Nano): Nano => (a > b ? a : b);
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
