import { Injectable } from '@nestjs/common';
import { Breakers } from '../../breakers/index.js';
import { CredentialStore } from '../../credentials/index.js';
import { type Conversion, pathAt, type UpstreamParams } from '../../dialects/index.js';
import { WeirError } from '../../kernel/errors.js';
import { encodedText } from '../../kernel/header-text.js';
import { type Attempt, LedgerService } from '../../ledger/index.js';
import { Egress, type Transport } from '../../platform/egress/index.js';
import { CredentialAuths, Identities, MockTransport } from '../../providers/index.js';
import type { Hold } from '../../quotas/index.js';
import { headersFor, Latencies, type Target, type TargetPlan } from '../../routing/index.js';
import type { Call } from '../call.js';
import type { InFlightCall } from '../in-flight.js';
import type { Reply } from '../reply.js';
import { isLong } from '../request-body.js';
import { Traffic } from '../traffic.js';
import { UpstreamAttempt } from './attempt.js';
import { Drains } from './drains.js';
import { type EncodedRequest, joinBody } from './encoded-request.js';
import type { Failure } from './failure.js';
import { type Outcome, unforeseen } from './outcome.js';
import type { ConnectedTarget } from './subscriptions.js';
import type { Sent, Tries } from './tries.js';
import { wentOf } from './went.js';

/** A provider that wants to be left alone for longer is not waited for where another one is at hand. */
const SHORT_WAIT_MS = 1_000;

/** Failures that are those of a key. */
const OF_A_KEY: ReadonlySet<Failure['reason']> = new Set(['auth', 'billing', 'rate_limited']);

/** Of a target that is left alone with one key, how many others are looked at. */
const MAX_OTHER_KEYS = 8;

/** What the client is told of an attempt, and of no other. */
const HEADERS_OF_ATTEMPT = ['x-weir-thinking-level', 'x-weir-warnings'];

/** A call, and the target that money is held for. */
export interface TargetRun {
  call: Call;
  reply: Reply;
  plan: TargetPlan;
  /** Null: its provider takes no login. */
  subscription: ConnectedTarget | null;
  conversion: Conversion;
  /** Into the format of the same target and back, with another of its keys. */
  convert(plan: TargetPlan): Conversion;
  hold: Hold;
  flight: InFlightCall;
  tries: Tries;
}

/** What the next attempt differs by. */
interface Step {
  plan: TargetPlan;
  conversion: Conversion;
  maxOutputTokens: number;
  mayRenew: boolean;
  mayLower: boolean;
}

/** Sends calls to their targets: an attempt, and what follows from how it went. */
@Injectable()
export class Attempts {
  private readonly mock = new MockTransport();
  private readonly auths: CredentialAuths;

  constructor(
    private readonly egress: Egress,
    private readonly credentials: CredentialStore,
    private readonly drains: Drains,
    private readonly breakers: Breakers,
    private readonly ledger: LedgerService,
    private readonly latencies: Latencies,
    private readonly traffic: Traffic,
    identities: Identities,
  ) {
    this.auths = new CredentialAuths(egress, identities);
  }

  /** The plan with a key that its target may be tried with now. @throws WeirError provider_unavailable: it is left alone */
  ready(plan: TargetPlan, { caller, affinity }: Call): TargetPlan {
    const { target } = plan;
    const refusal = this.breakers.refusal(target, caller.tenantId);
    if (refusal === null) return plan;
    if (!target.credential || target.subscription || plan.pinned) throw refusal;
    // Calls of one conversation move to the same key, for as long as theirs is left alone.
    for (const credential of this.credentials.ready(target.providerId, target.origin, target.model, affinity).slice(0, MAX_OTHER_KEYS)) {
      const other = { ...target, credential };
      if (this.breakers.refusal(other, caller.tenantId) === null) return { ...plan, target: other };
    }
    throw refusal;
  }

  /**
   * Resolves once everything but the end of the answer is with the client, or the target will not answer. Never rejects: a failed call is an
   * outcome too. Nothing follows an attempt that may be billed: it has used up what is held.
   */
  async run(run: TargetRun): Promise<Outcome> {
    const { tries, reply, flight, hold } = run;
    const least = run.plan.leastOutputTokens;
    let step: Step = {
      ...run,
      maxOutputTokens: hold.maxOutputTokens,
      mayRenew: true,
      mayLower: least !== null && hold.maxOutputTokens > least,
    };
    const triedKeys = new Set<string>();
    const { tenantId } = run.call.caller;
    let ended: Outcome | null = null;
    for (;;) {
      const begunMs = run.call.elapsedMs();
      const { target } = step.plan;
      const refusal = this.breakers.begin(target, tenantId, flight);
      if (refusal) return ended ?? { ...unforeseen(refusal, false), attempts: [...tries.attempts], failure: LEFT_ALONE };
      const outcome = await this.attempt(run, step);
      if (outcome.firstByteMs !== null && !outcome.error) this.latencies.note(step.plan.target, outcome.firstByteMs - begunMs);
      this.traffic.attempted(step.plan.target, begunMs, outcome);
      run.call.trace?.ended(outcome);
      tries.attempts.push(...outcome.attempts);
      flight.ended.push(...outcome.attempts);
      const status = outcome.attempts.at(-1)?.status ?? null;
      const last = outcome.error ? `${outcome.error.code} (${status ?? 'no answer'})` : '';
      this.breakers.end(target, tenantId, flight, wentOf(outcome, tries.isOverdue), last);
      if (outcome.failure && this.breakers.refusal(target, tenantId)) outcome.failure.isPassing = false;
      ended = { ...outcome, attempts: [...tries.attempts] };
      if (!outcome.failure || outcome.used || reply.started || reply.gone || tries.isOverHere) return ended;
      flight.takenBack();
      const { credential } = step.plan.target;
      if (credential) triedKeys.add(credential.id);
      try {
        const next = await this.next(run, step, outcome.failure, status, triedKeys);
        if (next === null) return reply.gone ? { ...ended, error: null } : ended;
        const refusal = run.call.refusal();
        if (refusal) return { ...ended, error: refusal, failure: null };
        step = next;
      } catch (error) {
        return { ...ended, error: error instanceof WeirError ? error : new WeirError('internal_error', { cause: error }) };
      }
    }
  }

  /** Null: this target is not tried again. @throws WeirError what the client is told instead, where a login is not good any more. */
  private async next(
    run: TargetRun,
    step: Step,
    failure: Failure,
    status: number | null,
    triedKeys: ReadonlySet<string>,
  ): Promise<Step | null> {
    const { subscription, tries, reply, hold } = run;
    if (subscription && status === 401) {
      if (!step.mayRenew) throw await subscription.expire();
      return { ...step, plan: await subscription.renew(), mayRenew: false };
    }
    if (failure.remedy === 'new_token') return { ...step, mayRenew: false };
    if (failure.remedy === 'lower_limit') return { ...step, maxOutputTokens: step.plan.leastOutputTokens!, mayLower: false };
    const other = subscription || !OF_A_KEY.has(failure.reason) ? null : this.withOtherKey(run, step, triedKeys);
    if (other) return other;
    const movesOn = tries.hasNext && tries.goesOnAfter(failure.reason) && (failure.retryAfterMs ?? 0) > SHORT_WAIT_MS;
    const waitMs = movesOn ? null : tries.retryIn(failure);
    if (waitMs === null || hold.since.ms() + waitMs >= this.ledger.sendWithinMs) return null;
    run.flight.waits();
    await tries.pause(waitMs, reply, run.flight);
    const isNoted = await run.flight.goesOn();
    return !isNoted || reply.gone || run.flight.isCutOff || !this.isUsable(step) ? null : step;
  }

  /** A key that was destroyed meanwhile is not shown again. */
  private isUsable({ plan: { target } }: Step): boolean {
    const { credential, subscription, providerId, origin } = target;
    return !credential || subscription !== null || this.credentials.pinned(providerId, origin, credential.id) !== null;
  }

  /** A key that its provider did not want serves no call for a while: another one serves this call at once. */
  private withOtherKey({ call, convert }: TargetRun, step: Step, triedKeys: ReadonlySet<string>): Step | null {
    const { target, pinned } = step.plan;
    if (!target.credential || pinned) return null;
    const credential = this.credentials.find(target.providerId, target.origin, target.model, call.affinity);
    if (!credential || triedKeys.has(credential.id)) return null;
    const plan = { ...step.plan, target: { ...target, credential } };
    return { ...step, plan, conversion: convert(plan), mayRenew: true };
  }

  /** Never rejects. */
  private async attempt(run: TargetRun, step: Step): Promise<Outcome> {
    const { call, reply, flight, tries, hold } = run;
    const { plan, conversion, maxOutputTokens, mayRenew, mayLower } = step;
    try {
      call.trace?.begin(plan, tries.attempts.length + 1, maxOutputTokens, hold);
      const encoded = this.encode(run, step);
      reply.setHeader('x-weir-attempts', String(tries.attempts.length + 1));
      if (maxOutputTokens !== hold.maxOutputTokens) reply.setHeader('x-weir-max-tokens', String(maxOutputTokens));
      if (isLong(encoded.unsigned.body.length)) await joinBody(encoded);
      flight.underWay = lostAt(plan);
      const transport: Transport = plan.target.type === 'mock' ? this.mock : this.egress;
      const options = {
        limit: maxOutputTokens * call.prompt.choices,
        mayRenew,
        mayLower,
        goesOn: (reason: Failure['reason']) => tries.hasNext && tries.goesOnAfter(reason),
        answers: () => this.breakers.answers(plan.target, call.caller.tenantId, flight),
      };
      return await new Promise((resolve) => {
        const attempt = new UpstreamAttempt(
          plan,
          call,
          flight,
          conversion.translation,
          encoded,
          options,
          transport,
          this.credentials,
          this.drains,
          resolve,
        );
        tries.current = attempt;
        attempt.start();
      });
    } catch (cause) {
      return unforeseen(cause, flight.sent);
    }
  }

  private encode({ call, reply, tries }: TargetRun, { plan: { target }, conversion, maxOutputTokens }: Step): EncodedRequest {
    const { dialect, translation, warnings } = conversion;
    const request = translation.encodeRequest(rewriteFor(call, target, maxOutputTokens));
    tries.sent = {
      maxOutputTokens,
      thinkingLevel: request.thinkingLevel,
      warnings: [...warnings, ...(call.prompt.leftOut ?? []), ...request.warnings],
    };
    tellClient(reply, tries.sent);
    const accept = call.prompt.stream && translation.streams ? translation.streams.type : 'application/json';
    return {
      unsigned: {
        origin: target.origin,
        path: pathAt(target, dialect, request.path),
        headers: headersFor(target, accept, [
          ...request.headers,
          ...gatewayHeaders(target, call),
          ...(call.trace?.headersTo(target) ?? []),
        ]),
        body: request.body,
      },
      effort: request.thinkingLevel,
      auth: target.credential && this.auths.of(target.credential, target.auth, target.origin),
    };
  }
}

/** Of a target that was not tried: another one may be. */
const LEFT_ALONE: Failure = { reason: 'provider_error', isPassing: false, retryAfterMs: null, remedy: null };

/** An attempt as it is noted while it is under way. */
const lostAt = ({ target: { provider, model, credential } }: TargetPlan): Attempt => ({
  provider,
  model,
  credential: credential?.id ?? null,
  status: null,
  reason: 'gateway_lost',
  latencyMs: null,
});

/** What is written into a request on its way to a target. */
export const rewriteFor = (
  { thinkingLevel }: Call,
  { model, modelRulesOf, quirks, lent }: Target,
  maxOutputTokens: number,
): UpstreamParams => ({
  model,
  modelRulesOf,
  maxOutputTokens,
  thinkingLevel,
  quirks,
  keepNothing: lent,
});

/** What became of the request on its way into the provider's format. */
function tellClient(reply: Reply, { warnings, thinkingLevel }: Sent): void {
  reply.dropHeaders(HEADERS_OF_ATTEMPT);
  if (thinkingLevel !== null) reply.setHeader('x-weir-thinking-level', thinkingLevel);
  if (warnings.length > 0) reply.setHeader('x-weir-warnings', warningsText(warnings));
}

const MAX_WARNINGS = 2_000;

function warningsText(warnings: readonly string[]): string {
  const text = encodedText(warnings.join(' '));
  // Not within an escape.
  return text.length <= MAX_WARNINGS ? text : text.slice(0, MAX_WARNINGS).replace(/(?:%[0-9A-F]{0,2})+$/, '');
}

/** What an AI Gateway is asked for: by the provider's record, and by the client before it. */
function gatewayHeaders({ gateway }: Target, { options }: Call): readonly string[] {
  if (!gateway) return [];
  const asked = gateway.fromClient ? options.aiGateway : [];
  if (asked.length === 0) return gateway.headers;
  const names = new Set(asked.filter((_, at) => at % 2 === 0));
  const standing = gateway.headers.filter((_, at) => !names.has(gateway.headers[at - (at % 2)]!));
  return [...standing, ...asked];
}
