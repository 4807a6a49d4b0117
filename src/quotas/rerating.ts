import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import { formatUsd, type Nano, usdNumber } from '../kernel/money.js';
import type { Setter } from '../kernel/setter.js';
import { inputTotal } from '../kernel/usage.js';
import { type Adjustment, type BookedCall, LedgerService } from '../ledger/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import { costOf, loadRates, type Price, ratesFor, type StoredRates, storeRates } from '../prices/index.js';

const CALLS_AT_ONCE = 500;
const SHOWN = 20;

/** Which calls to price again, by time of admission. Null: whichever. */
export interface RerateRequest {
  tenantId: string;
  from: Date;
  to: Date;
  provider: string | null;
  model: string | null;
  /** Say what would change, and change nothing. */
  dryRun: boolean;
  /** For whom: an operator, or the tenant itself. */
  by: Setter;
  actor: string;
  reason: string | null;
}

/** How each call of a page is priced; null: its price is unknown. */
export type PricesOf = (calls: readonly BookedCall[]) => Promise<(call: BookedCall) => Price | null>;

/** What came of it, or would. Each attempt of a call is priced apart, and counts. Amounts in nano-USD. */
export interface Rerated {
  calls: number;
  changed: number;
  /** Those for which there is no price still; they stay as they are. */
  unpriced: number;
  charged: Nano;
  corrected: Nano;
  /** The first of the changes. */
  changes: { callId: string; charged: Nano | null; corrected: Nano }[];
}

/**
 * Prices booked calls again by what is known today. Nothing booked is edited: a difference is an entry of its own, in the periods that the call
 * counted in. One that lowers what a period has spent frees that much of it; one that raises it may go beyond a hard limit, as the money is spent.
 */
@Injectable()
export class Rerating {
  private lowered = 0n;
  private raised = 0n;
  private refused = 0;

  constructor(
    private readonly ledger: LedgerService,
    metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    metrics.watchTotal('weir_rerate_lowered_usd_total', 'US dollars by which re-rating lowered what was booked.', () =>
      usdNumber(this.lowered),
    );
    metrics.watchTotal('weir_rerate_raised_usd_total', 'US dollars by which re-rating raised what was booked.', () =>
      usdNumber(this.raised),
    );
    metrics.watchTotal('weir_rerate_refused_total', 'Re-ratings by tenants of calls that the platform paid for.', () => this.refused);
  }

  /**
   * Safe to repeat: a call that was corrected is priced right.
   * @throws WeirError platform_rule when a tenant asks for calls that the platform paid for, or may have.
   */
  async rerate(request: RerateRequest, pricesOf: PricesOf): Promise<Rerated> {
    const { tenantId, dryRun, by, actor, reason } = request;
    if (by !== 'operator' && (await this.ledger.platformPaid(tenantId, request))) throw this.refuse(request);
    const rerated: Rerated = { calls: 0, changed: 0, unpriced: 0, charged: 0n, corrected: 0n, changes: [] };
    let last: BookedCall | null = null;
    do {
      const page: BookedCall[] = await this.ledger.bookedCalls(tenantId, request, last, CALLS_AT_ONCE);
      const priceOf = await pricesOf(page);
      const adjustments = page.flatMap((call) => correct(call, priceOf(call), rerated));
      if (!dryRun && adjustments.length > 0) {
        await this.ledger.adjust(tenantId, adjustments, actor, reason);
        for (const { amount } of adjustments) this.count(amount);
      }
      last = page.length === CALLS_AT_ONCE ? page.at(-1)! : null;
    } while (last);
    if (!dryRun) this.tell(request, rerated);
    return rerated;
  }

  private count(amount: Nano): void {
    if (amount < 0n) this.lowered -= amount;
    else this.raised += amount;
  }

  private refuse({ tenantId, actor, provider, model }: RerateRequest): WeirError {
    this.refused++;
    this.log.warn(
      { tenant: publicId('tenant', tenantId), actor, provider, model },
      'a tenant asked to re-rate calls that the platform paid for',
    );
    return new WeirError('platform_rule', {
      message:
        'The platform paid for some of these calls, or may have. Only an operator may price those again. Name a provider of your own with "provider", or leave them out by time.',
    });
  }

  private tell({ tenantId, by, actor, provider, model, reason }: RerateRequest, { calls, changed, charged, corrected }: Rerated): void {
    const difference = formatUsd(corrected - charged);
    this.log.warn(
      { tenant: publicId('tenant', tenantId), by, actor, provider, model, calls, changed, difference, reason },
      'booked calls were re-rated',
    );
  }
}

/** What a call was booked for beyond its tokens: an estimate of what nobody saw, which a price does not make untrue. */
function surplusOf({ booked, rates, usage }: BookedCall): Nano {
  if (booked === null || rates === null) return 0n;
  const surplus = booked - costOf(usage, loadRates(rates as StoredRates));
  return surplus > 0n ? surplus : 0n;
}

/** Counts a call, and answers the correction it needs, if any. */
function correct(call: BookedCall, price: Price | null, rerated: Rerated): Adjustment[] {
  const { callId, attempt, admittedAt, charged, usage } = call;
  rerated.calls++;
  rerated.charged += charged ?? 0n;
  if (!price) {
    rerated.unpriced++;
    rerated.corrected += charged ?? 0n;
    return [];
  }
  const rates = ratesFor(price, inputTotal(usage));
  const corrected = costOf(usage, rates) + surplusOf(call);
  rerated.corrected += corrected;
  if (corrected === charged) return [];
  rerated.changed++;
  if (rerated.changes.length < SHOWN) rerated.changes.push({ callId, charged, corrected });
  const amount = corrected - (charged ?? 0n);
  return [{ callId, attempt, admittedAt, number: call.adjustments + 1, amount, priceId: price.id, rates: storeRates(rates) }];
}
