import { Injectable } from '@nestjs/common';
import type { Nano } from '../kernel/money.js';
import { inputTotal } from '../kernel/usage.js';
import { type Adjustment, type BookedCall, LedgerService } from '../ledger/index.js';
import { costOf, type Price, ratesFor, storeRates } from '../prices/index.js';

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
  actor: string;
  reason: string | null;
}

/** What came of it, or would. Amounts in nano-USD. */
export interface Rerated {
  calls: number;
  changed: number;
  /** Calls for which there is no price still; they stay as they are. */
  unpriced: number;
  charged: Nano;
  corrected: Nano;
  /** The first of the changes. */
  changes: { callId: string; charged: Nano | null; corrected: Nano }[];
}

/** Prices booked calls again by what is known today. Nothing booked is edited: a difference is an entry of its own. */
@Injectable()
export class Rerating {
  constructor(private readonly ledger: LedgerService) {}

  /** Safe to repeat: a call that was corrected is priced right. @param priceAt what a model cost at a time; null: unknown. */
  async rerate(request: RerateRequest, priceAt: (provider: string, model: string, at: Date) => Price | null): Promise<Rerated> {
    const rerated: Rerated = { calls: 0, changed: 0, unpriced: 0, charged: 0n, corrected: 0n, changes: [] };
    let last: BookedCall | null = null;
    do {
      const page: BookedCall[] = await this.ledger.bookedCalls(request.tenantId, request, last, CALLS_AT_ONCE);
      const adjustments = page.flatMap((call) => correct(call, priceAt(call.provider, call.model, new Date(call.admittedAt)), rerated));
      if (!request.dryRun && adjustments.length > 0) await this.ledger.adjust(request.tenantId, adjustments, request.actor, request.reason);
      last = page.length === CALLS_AT_ONCE ? page.at(-1)! : null;
    } while (last);
    return rerated;
  }
}

/** Counts a call, and answers the correction it needs, if any. */
function correct(call: BookedCall, price: Price | null, rerated: Rerated): Adjustment[] {
  const { callId, admittedAt, charged, usage } = call;
  rerated.calls++;
  rerated.charged += charged ?? 0n;
  if (!price) {
    rerated.unpriced++;
    rerated.corrected += charged ?? 0n;
    return [];
  }
  const rates = ratesFor(price, inputTotal(usage));
  const corrected = costOf(usage, rates);
  rerated.corrected += corrected;
  if (corrected === charged) return [];
  rerated.changed++;
  if (rerated.changes.length < SHOWN) rerated.changes.push({ callId, charged, corrected });
  return [
    { callId, admittedAt, number: call.adjustments + 1, amount: corrected - (charged ?? 0n), priceId: price.id, rates: storeRates(rates) },
  ];
}
