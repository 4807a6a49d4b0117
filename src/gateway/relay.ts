import { Inject, Injectable } from '@nestjs/common';
import type { StoredPlan } from '../calls/index.js';
import { noFacts } from '../dialects/index.js';
import { type ErrorCode, WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import { formatUsd, type Nano } from '../kernel/money.js';
import { ownTurn } from '../kernel/slices.js';
import { NO_USAGE } from '../kernel/usage.js';
import { LedgerService, type Settlement } from '../ledger/index.js';
import { crashPoint } from '../platform/faults/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import type { Price } from '../prices/index.js';
import { ApprovalNeeded, type Hold } from '../quotas/index.js';
import { type Plan, Router, type TargetPlan, type TargetPrices, UNPRICED, UsableModels } from '../routing/index.js';
import { ApprovedCalls } from './approved-calls.js';
import { type Outcome, unforeseen } from './attempts/outcome.js';
import { Attempts } from './attempts/send.js';
import { Tries } from './attempts/tries.js';
import type { Beyond } from './beyond-text.js';
import type { Call } from './call.js';
import { Endings } from './endings.js';
import { Estimates } from './estimates.js';
import { type HeldTarget, Holding, REMAINING } from './holding.js';
import { InFlight, type InFlightCall } from './in-flight.js';
import { PlanRecord } from './plan-record.js';
import { PriceWatch } from './price-watch.js';
import type { Reply } from './reply.js';
import { isLong } from './request-body.js';
import { settlementOf } from './settlement.js';
import { errorOfAll, type TargetFault } from './target-faults.js';
import { Traffic } from './traffic.js';

/** The request lifecycle, read top to bottom. */
@Injectable()
export class Relay {
  constructor(
    private readonly router: Router,
    private readonly models: UsableModels,
    private readonly holding: Holding,
    private readonly attempts: Attempts,
    private readonly endings: Endings,
    private readonly approvals: ApprovedCalls,
    private readonly ledger: LedgerService,
    private readonly inFlight: InFlight,
    private readonly estimates: Estimates,
    private readonly watch: PriceWatch,
    private readonly traffic: Traffic,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Never rejects: whatever is thrown ends this call with its error, and no other. */
  run(call: Call, reply: Reply, plan?: Plan): Promise<void> {
    return this.serve(call, reply, plan)
      .catch((error: unknown) => this.endings.refuse(call, reply, error))
      .catch((error: unknown) => this.log.error({ err: error, call: publicId('call', call.id) }, 'call'));
  }

  /** A call that has to be approved, and whose client waits for that, is planned and held anew once it is. */
  private async serve(call: Call, reply: Reply, known?: Plan): Promise<void> {
    if (isLong(call.prompt.inputTokensBound)) await ownTurn();
    if (call.options.approvalId !== null) await this.approvals.present(call);
    try {
      for (let plan = known; ; plan = undefined) {
        try {
          return await this.serveBy(plan ?? this.router.plan(call.caller, call.planned), call, reply); // 400 403 404
        } catch (error) {
          if (!(error instanceof WeirError) || !(error.cause instanceof ApprovalNeeded)) throw error;
          await this.approvals.decided(call, reply, error); // 402
        }
      }
    } finally {
      this.approvals.leave(call);
    }
  }

  private async serveBy(plan: Plan, call: Call, reply: Reply): Promise<void> {
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
        held = await this.holding.begin(call, reply, plan, this.attempts.ready(planned, call), { number: flights.length + 1, spent }); // 4xx 502 503 504
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
        this.holding.announce(call, hold, reply);
        return this.attempts.run({ ...held, call, reply, tries }); // 4xx 502 503 504: an outcome, never thrown after the hold
      });
      const goesOn = tries.goesOn(outcome, reply, flight);
      const refusal = goesOn ? call.refusal() : null;
      const moves = goesOn && refusal === null;
      const concluded = this.conclude(call, held.plan, hold, refusal ? { ...outcome, error: refusal } : outcome, asked, moves);
      last = concluded;
      const { settlement } = concluded;
      settlement.plan = this.explained(call, () => record.book(at, hold, tries.sent, concluded.outcome, settlement, moves));
      const booking = await this.ledger.settle(hold, settlement, () => flight.booked()); // commits before the tail leaves
      call.trace?.settled(settlement, booking);
      if (!booking.safe && !last.outcome.error) {
        reply.recorder?.leaveToLedger();
        throw new WeirError('booking_delayed');
      }
      crashPoint('settle_committed');
      this.approvals.settled(hold);
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
    const ending = this.endings.end(call, reply, outcome, last.settlement, cost);
    if (ending instanceof Promise) await ending;
    this.endings.report(call, outcome.error, last.settlement, outcome.untold, { cost, attempts: tries.attempts });
  }

  /**
   * A call that Weir answers without a provider, at no cost: it counts against the limits of its key, and is in the ledger, like any call.
   * @throws WeirError as calls do that are refused; anything that `work` throws.
   */
  async answer<Answer>(call: Call, plan: TargetPlan, work: () => Promise<Answer>): Promise<Answer> {
    const hold = await this.holding.ofNothing(call, plan);
    let outcome = unforeseen(null, false);
    try {
      const answer = await work();
      outcome = ANSWERED;
      return answer;
    } finally {
      await this.ledger.settle(hold, settlementOf(call, plan, hold, outcome, UNPRICED, NOTHING_BEYOND, this.estimates), () => {});
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

  /** What a call is explained by. It is booked without it rather than not at all. */
  private explained(call: Call, make: () => StoredPlan | undefined): StoredPlan | undefined {
    try {
      return make();
    } catch (err) {
      this.log.error({ err, call: publicId('call', call.id) }, 'a call cannot be explained');
      return undefined;
    }
  }

  /** How the attempts at a target are booked. What a provider reports and nobody can count is an estimate. @param moved the call goes on to another target. */
  private conclude(call: Call, plan: TargetPlan, hold: Hold, outcome: Outcome, asked: Beyond, moved: boolean): Concluded {
    const book = (booked: Outcome, served: TargetPrices) => {
      const settlement = settlementOf(call, plan, hold, booked, served, asked, this.estimates);
      const last = booked.attempts.at(-1);
      // The cost of an only attempt is the call's.
      if (last && settlement.state === 'settled' && (moved || booked.attempts.length > 1)) last.amount = settlement.amount;
      return { outcome: booked, settlement: { ...settlement, moved, credential: last?.credential }, served: served.price };
    };
    try {
      return book(outcome, this.models.servedPrices(call.caller.tenantId, plan.target, outcome.facts.servedModel));
    } catch (cause) {
      return book({ ...unforeseen(cause, outcome.used), attempts: outcome.attempts }, UNPRICED);
    }
  }
}

/** What became of a call at one target, and the price of the model that was served in place of the one asked for. */
interface Concluded {
  outcome: Outcome;
  settlement: Settlement;
  served: Price | null;
}

/** What no other target would fix. */
const NOT_OF_A_TARGET: ReadonlySet<ErrorCode> = new Set(['ledger_unavailable', 'overloaded', 'internal_error', 'request_too_large']);

const NOTHING_BEYOND: Beyond = { feature: null, heard: false };
const ANSWERED: Outcome = {
  ...unforeseen(null, true),
  status: 'completed',
  error: null,
  facts: { ...noFacts(), usage: NO_USAGE, usageIsFinal: true },
};
