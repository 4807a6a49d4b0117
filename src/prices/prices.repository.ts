import { Injectable } from '@nestjs/common';
import { newId } from '../kernel/ids.js';
import { Prisma } from '../platform/postgres/index.js';
import { CATALOGUE_SOURCE, type CataloguePrice } from './catalogue.js';
import { loadRates, type Price, type StoredRates, storeRates } from './price.js';

export type NewPrice = Omit<Price, 'id' | 'createdAt'>;

interface StoredTier {
  above_input_tokens: number;
  rates: StoredRates;
}

@Injectable()
export class PricesRepository {
  constructor(private readonly prisma: Prisma) {}

  async insert(price: NewPrice): Promise<Price> {
    const row = await this.prisma.price.create({
      data: {
        id: newId(),
        tenantId: price.tenantId,
        provider: price.provider,
        model: price.model,
        rates: storeRates(price.rates),
        tiers: price.tiers.map((tier) => ({ above_input_tokens: tier.aboveInputTokens, rates: storeRates(tier.rates) })),
        source: price.source,
        notes: price.notes,
        effectiveAt: price.effectiveAt,
      },
    });
    return toPrice(row);
  }

  /** Adds catalogue rows that are not there yet. */
  async seed(prices: readonly (CataloguePrice & { provider: string })[]): Promise<void> {
    const known = await this.prisma.price.findMany({
      where: { tenantId: null, source: CATALOGUE_SOURCE },
      select: { provider: true, model: true, effectiveAt: true },
    });
    const keyOf = (row: (typeof known)[number]) => `${row.provider} ${row.model} ${row.effectiveAt.toISOString()}`;
    const keys = new Set(known.map(keyOf));
    const missing = prices.filter((price) => !keys.has(keyOf(price)));
    await this.prisma.price.createMany({ data: missing.map((price) => ({ id: newId(), source: CATALOGUE_SOURCE, ...price })) });
  }

  /** Null: no such price of this owner. */
  async find(tenantId: string | null, id: string): Promise<Price | null> {
    const row = await this.prisma.price.findFirst({ where: { id, tenantId } });
    return row && toPrice(row);
  }

  /** Prices of some owners (null: the platform), or all of them. */
  async list(tenantIds: (string | null)[] | null): Promise<Price[]> {
    const owners = tenantIds && {
      OR: [{ tenantId: { in: tenantIds.filter((id) => id !== null) } }, ...(tenantIds.includes(null) ? [{ tenantId: null }] : [])],
    };
    const rows = await this.prisma.price.findMany({
      ...(owners && { where: owners }),
      orderBy: [{ effectiveAt: 'desc' }, { createdAt: 'desc' }, { id: 'desc' }],
    });
    return rows.map(toPrice);
  }
}

type PriceRow = Awaited<ReturnType<Prisma['price']['findFirstOrThrow']>>;

function toPrice(row: PriceRow): Price {
  const tiers = row.tiers as unknown as StoredTier[];
  return {
    ...row,
    rates: loadRates(row.rates as StoredRates),
    tiers: tiers.map((tier) => ({ aboveInputTokens: tier.above_input_tokens, rates: loadRates(tier.rates) })),
  };
}
