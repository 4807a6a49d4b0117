import { Injectable } from '@nestjs/common';
import { outsideTenantScope } from '../platform/postgres/index.js';
import { type Price, PriceBook } from '../prices/index.js';
import { type ProviderRecord, ProvidersRepository, providerType } from '../providers/index.js';
import { listingOf } from './listing.js';

/** What is known of a booked call that decides its price. */
export interface BookedWith {
  provider: string;
  /** Null: it was booked before records were noted. */
  providerId: string | null;
  model: string;
  admittedAt: string;
}

/**
 * What booked calls cost by the prices known today. It goes by the record each call was made with, which may be gone by now, and not by the record
 * that has its name today: who paid then says what it cost.
 */
@Injectable()
export class BookedPrices {
  constructor(
    private readonly providers: ProvidersRepository,
    private readonly prices: PriceBook,
  ) {}

  /** Resolves when every price that was set before is known, so that one of a moment ago counts. */
  refresh(): Promise<void> {
    return this.prices.refresh();
  }

  /** Looks the records up, and answers how each of these calls is priced. Null: its price is unknown. */
  async of<Call extends BookedWith>(tenantId: string, calls: readonly Call[]): Promise<(call: Call) => Price | null> {
    const ids = [...new Set(calls.flatMap(({ providerId }) => providerId ?? []))];
    const names = [...new Set(calls.flatMap(({ providerId, provider }) => (providerId === null ? [provider] : [])))];
    // A tenant's session does not see the platform's records.
    const known = await outsideTenantScope(() => this.providers.everKnown(tenantId, ids, names));
    const byId = new Map(known.map((record) => [record.id, record]));
    return ({ provider, providerId, model, admittedAt }) => {
      const record = providerId === null ? payerOf(known, provider) : byId.get(providerId);
      const listing = record ? listingOf(record, providerType(record.type)!) : null;
      return this.prices.find(tenantId, provider, model, listing, new Date(admittedAt).getTime());
    };
  }
}

/** Of a call that does not say its record: if the platform ever had one of this name, it counts as lent. */
const payerOf = (known: readonly ProviderRecord[], name: string): ProviderRecord | undefined => {
  const named = known.filter((record) => record.name === name);
  return named.find(({ tenantId }) => tenantId === null) ?? named[0];
};
