import { Injectable } from '@nestjs/common';
import { type CallRequest, type Conversion, IMAGE_TOKENS } from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import { encodedText } from '../kernel/header-text.js';
import { hexOf, newId } from '../kernel/ids.js';
import { formatUsd, type Nano } from '../kernel/money.js';
import { ownTurn } from '../kernel/slices.js';
import { MEDIA_UNITS, type MediaUnit, type Medium, NO_USAGE, type TokenSide } from '../kernel/usage.js';
import { LedgerService } from '../ledger/index.js';
import { costOf, feesAtMost, listsAll, type Price, priceWith, ratesFor, storeRates } from '../prices/index.js';
import { Admission, type AdmissionRequest, type Allowed, type Hold, rateHeaders } from '../quotas/index.js';
import type { Plan, Target, TargetPlan } from '../routing/index.js';
import type { SoFar } from './attempts/outcome.js';
import { rewriteFor, type TargetRun } from './attempts/send.js';
import { Subscriptions } from './attempts/subscriptions.js';
import type { Beyond } from './beyond-text.js';
import type { Call } from './call.js';
import { scopesOf } from './call-options.js';
import { Estimates } from './estimates.js';
import { checkFit } from './fit-model.js';
import { InFlight } from './in-flight.js';
import { boundOf, guessOf, type InputSize, inputSize, searchedBound, storedBound } from './input-size.js';
import { permitted } from './policy/index.js';
import { ReasoningMemory } from './reasoning-memory.js';
import { refinedInput } from './refine-input.js';
import type { Reply } from './reply.js';
import { isLong } from './request-body.js';
import { Traffic } from './traffic.js';

/** What the call's budgets have left: once it is held, and once it is booked where the head of its answer is still to come. */
export const REMAINING = 'x-weir-budget-remaining';

/** No model reads half as much. Pictures and the like are no text. */
const MAX_TEXT_BYTES = 8 * 1024 * 1024;
const TOO_MUCH_TEXT = 'The request has more than 8 MiB of text, which is more than any model reads. Send less in one request.';

/** A target that money is held for. */
export type HeldTarget = Pick<TargetRun, 'plan' | 'subscription' | 'conversion' | 'convert' | 'hold' | 'flight'> & { asked: Beyond };

/** Holds money for a call, for one of its targets. */
@Injectable()
export class Holding {
  constructor(
    private readonly admission: Admission,
    private readonly subscriptions: Subscriptions,
    private readonly ledger: LedgerService,
    private readonly inFlight: InFlight,
    private readonly memory: ReasoningMemory,
    private readonly estimates: Estimates,
    private readonly traffic: Traffic,
  ) {}

  /** Everything that comes before money moves, and the money. @param before number: of the hold among those of the call, from 1. spent: by those before it. */
  async begin(
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

  /** Of a call that Weir answers without a provider, at no cost. @throws WeirError as calls do that are refused */
  ofNothing(call: Call, plan: TargetPlan): Promise<Hold> {
    const exposure = this.exposure(call, plan.reference, plan, NOTHING_ADDED, NO_INPUT);
    return this.admission.admit({ ...exposure, unpricedCost: 0n, maxCost: null, refineInput: async () => 0 });
  }

  /** What the client is told of its hold. */
  announce({ prompt }: Call, hold: Hold, reply: Reply): void {
    reply.dropHeaders(HEADERS_OF_HOLD);
    if (hold.maxOutputTokens !== prompt.maxOutputTokens) reply.setHeader('x-weir-max-tokens', String(hold.maxOutputTokens));
    if (hold.remaining !== null) reply.setHeader(REMAINING, formatUsd(hold.remaining));
    if (hold.warnedPercent !== null) reply.setHeader('x-weir-budget-warning', `${hold.warnedPercent}% of a budget is spent`);
    if (hold.rates) for (const [name, value] of Object.entries(rateHeaders(hold.rates))) reply.setHeader(name, value);
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
    const makes = madeUnits(added, target);
    const allowed = makes ? allowedMedia(makes, target.price!, prompt.choices) : allowedIn(prompt, added, target);
    // A summary of the conversation is one more call: it reads as much, and writes as much at most.
    const times = added.compactsFrom !== null && bound + outputBound > added.compactsFrom ? 2 : 1;
    return {
      callId: call.id,
      tenantId: caller.tenantId,
      scopes: [...caller.scopes, ...scopesOf(options, target.provider, plan.countedModels, prompt.endUser)],
      price: target.price && priceWith(target.price, [...carriedUnits(size), ...(makes ?? [])]),
      unbounded: allowed ? null : added.feature,
      allowed,
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
      approval: call.approval,
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

/** What a call may use that has a fee. Null: nothing, or no more is known of it than that it costs something. */
function allowedIn(prompt: CallRequest, { feature, compactsFrom }: Added, target: Target): Allowed | null {
  // What was found may make a conversation long enough for a summary.
  const uses = compactsFrom === null ? feature?.most : null;
  const cost = uses && target.price && feesAtMost(target.price, uses);
  return uses && cost != null ? { uses, inputTokens: searchedBound(prompt, target, uses), cost } : null;
}

const unitsOf = (side: TokenSide, medium: Medium): MediaUnit[] =>
  MEDIA_UNITS.filter((unit) => unit.side === side && unit.medium.name === medium);
const [HEARD, SEEN] = [unitsOf('input', 'audio'), unitsOf('input', 'image')];

/** What the input may be counted as beside text. */
const carriedUnits = ({ heard, mediaTokens }: InputSize): MediaUnit[] => [...(heard ? HEARD : []), ...(mediaTokens > 0 ? SEEN : [])];

/** What the answer may be counted as beside text. Null: no more is known of it than that it costs something. */
function madeUnits({ feature }: Added, { price }: Target): MediaUnit[] | null {
  if (!feature?.makes || !price) return null;
  const units = feature.makes.flatMap((medium) => unitsOf('output', medium));
  return listsAll(price, units) ? units : null;
}

/** The output limit bounds it, but that an image is not cut short: the last one may go beyond. */
function allowedMedia(units: readonly MediaUnit[], price: Price, choices: number): Allowed {
  const beyond = units.some(({ medium }) => medium.name === 'image') ? IMAGE_TOKENS * choices : 0;
  const costs = [price.rates, ...price.tiers.map(({ rates }) => rates)].map((rates) => costOf({ ...NO_USAGE, imageOutput: beyond }, rates));
  return { uses: {}, inputTokens: 0, cost: costs.reduce(larger) };
}

/** What a conversion adds to what is asked for. */
type Added = Pick<Conversion, 'addedInputTokens' | 'leastOutputTokens' | 'compactsFrom' | 'feature'>;

const NOTHING_ADDED: Added = { addedInputTokens: 0, leastOutputTokens: 0, compactsFrom: null, feature: null };
const NO_INPUT: InputSize = { textBytes: 0, mediaTokens: 0, heard: false };

const larger = (a: Nano, b: Nano): Nano => (a > b ? a : b);
const least = (a: Nano | null, b: Nano | null): Nano | null => (a === null ? b : b === null || a < b ? a : b);

function tellTarget({ reference, target }: TargetPlan, reply: Reply): void {
  reply.setHeader('x-weir-model', encodedText(reference));
  reply.setHeader('x-weir-provider', encodedText(target.provider));
}
