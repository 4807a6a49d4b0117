import { Inject, Injectable } from '@nestjs/common';
import { publicId } from '../kernel/ids.js';
import { formatUsd, type Nano } from '../kernel/money.js';
import { reportedCost } from '../kernel/reported-cost.js';
import { inputTotal, type Usage } from '../kernel/usage.js';
import type { Settlement } from '../ledger/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import { costOf, type Price, ratesFor } from '../prices/index.js';
import type { TargetPlan } from '../routing/index.js';
import type { Call } from './call.js';

/** Rounding, and cents of a credit: below this two costs are the same. */
const MIN_DIFFERENCE: Nano = 1_000n;
const MIN_SHARE = 100n;
const QUIET_MS = 60_000;
const MAX_REMEMBERED = 1_000;

/** Looks at what was booked for signs that a price is missing or wrong. What it sees is in `/metrics` and the log; it changes nothing. */
@Injectable()
export class PriceWatch {
  private unpriced = 0;
  private servedOthers = 0;
  private servedDearer = 0;
  private compared = 0;
  private tooLow = 0;
  private tooHigh = 0;
  private readonly warnedAt = new Map<string, number>();

  constructor(
    metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    metrics.watchTotal('weir_calls_unpriced_total', 'Calls that were served without a price.', () => this.unpriced);
    metrics.watchTotal('weir_calls_served_other_total', 'Calls whose provider served a model of another price.', () => this.servedOthers);
    metrics.watchTotal(
      'weir_calls_served_dearer_total',
      'Calls that were booked at the price of the dearer model that was served.',
      () => this.servedDearer,
    );
    metrics.watchTotal('weir_costs_compared_total', 'Calls whose provider reported a cost.', () => this.compared);
    metrics.watchTotal('weir_costs_booked_low_total', 'Calls that were booked at less than their provider reported.', () => this.tooLow);
    metrics.watchTotal('weir_costs_booked_high_total', 'Calls that were booked at more than their provider reported.', () => this.tooHigh);
  }

  /** @param served the price of the model that was served in place of the one asked for; null: there is none. */
  look(call: Call, { target, reference }: TargetPlan, settlement: Settlement, served: Price | null): void {
    if (settlement.state !== 'settled') return;
    const facts = {
      call: publicId('call', call.id),
      tenant: publicId('tenant', call.caller.tenantId),
      model: reference,
      lent: target.lent,
    };
    if (settlement.rates === null) {
      this.unpriced++;
      this.warn('unpriced', facts, 'a model without a price was called: add one');
    }
    if (served) {
      const dearer = costAt(served, settlement.usage) > (target.price ? costAt(target.price, settlement.usage) : -1n);
      this.servedOthers++;
      if (dearer) this.servedDearer++;
      const served_model = settlement.servedModel;
      this.warn(
        'served',
        { ...facts, served_model, booked_as: dearer ? 'served' : 'requested' },
        'a provider serves another model than is asked for',
      );
    }
    // What an operator charges a tenant for a provider that is lent need not be what the provider takes.
    if (target.lent && target.price && target.price.tenantId !== null) return;
    const reported = reportedCost(settlement.usageRaw);
    if (reported === null || settlement.amount === null) return;
    this.compared++;
    const difference = reported - settlement.amount;
    if (abs(difference) < MIN_DIFFERENCE || abs(difference) * MIN_SHARE < reported) return;
    if (difference > 0n) this.tooLow++;
    else this.tooHigh++;
    const amounts = { cost: formatUsd(settlement.amount), reported: formatUsd(reported), difference: formatUsd(difference) };
    this.warn('cost', { ...facts, ...amounts }, 'a provider reports another cost than is booked: check the price');
  }

  /** Once a minute for each model: the figures have them all. */
  private warn(kind: string, facts: { tenant: string; model: string } & Record<string, unknown>, message: string): void {
    const now = performance.now();
    const key = `${kind} ${facts.tenant} ${facts.model}`;
    if (now - (this.warnedAt.get(key) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    if (this.warnedAt.size >= MAX_REMEMBERED) this.warnedAt.clear();
    this.warnedAt.set(key, now);
    this.log.warn(facts, message);
  }
}

const costAt = (price: Price, usage: Usage): Nano => costOf(usage, ratesFor(price, inputTotal(usage)));
const abs = (amount: Nano): Nano => (amount < 0n ? -amount : amount);
