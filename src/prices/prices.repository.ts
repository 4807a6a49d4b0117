import { Inject, Injectable } from '@nestjs/common';
import { newId } from '../kernel/ids.js';
import { CONFIG_POOL, type OwnedTable, type Pool, Prisma, type PrismaExecutor, rowsByOwner } from '../platform/postgres/index.js';
import { CATALOG_SOURCE, type CatalogPrice } from './catalog.js';
import { loadRates, type Price, type StoredRates, storeRates } from './price.js';

/** Longer than it takes to read and add as many prices as there may be, on a busy machine. */
const ALONE_MS = 20_000;

export type NewPrice = Omit<Price, 'id' | 'createdAt'>;

interface StoredTier {
  above_input_tokens: number;
  rates: StoredRates;
}

/** A price as it was read. */
export interface ReadPrice extends Pick<Price, 'id' | 'provider' | 'model' | 'source' | 'effectiveAt' | 'createdAt'> {
  /** Null: its rates cannot be read. */
  price: Price | null;
}

@Injectable()
export class PricesRepository {
  constructor(
    private readonly prisma: Prisma,
    @Inject(CONFIG_POOL) private readonly pool: Pool,
  ) {}

  async insert(price: NewPrice): Promise<Price> {
    return toPrice(await this.prisma.price.create({ data: toRow(price) }));
  }

  /** Adds catalog rows that are not there yet. */
  async seed(prices: readonly (CatalogPrice & { provider: string })[]): Promise<void> {
    const known = await this.prisma.price.findMany({
      where: { tenantId: null, source: CATALOG_SOURCE },
      select: { provider: true, model: true, effectiveAt: true },
    });
    const keyOf = (row: (typeof known)[number]) => `${row.provider} ${row.model} ${row.effectiveAt.toISOString()}`;
    const keys = new Set(known.map(keyOf));
    const missing = prices.filter((price) => !keys.has(keyOf(price)));
    await this.prisma.price.createMany({ data: missing.map((price) => ({ id: newId(), source: CATALOG_SOURCE, ...price })) });
  }

  /** Adds prices, all or none. */
  async insertAll(prices: readonly NewPrice[], db: PrismaExecutor): Promise<void> {
    await db.price.createMany({ data: prices.map(toRow) });
  }

  /** Works in a transaction that no other one of these runs beside. Null: one does. */
  alone<T>(work: (db: PrismaExecutor) => Promise<T>): Promise<T | null> {
    return this.prisma.$transaction(
      async (db) => {
        const [lock] = await db.$queryRaw<{ taken: boolean }[]>`SELECT pg_try_advisory_xact_lock(hashtext('weir price catalog')) AS taken`;
        return lock?.taken ? work(db) : null;
      },
      { timeout: ALONE_MS },
    );
  }

  /** Null: no such price of this owner. */
  async find(tenantId: string | null, id: string): Promise<Price | null> {
    const row = await this.prisma.price.findFirst({ where: { id, tenantId } });
    return row && toPrice(row);
  }

  /** The prices of some owners (null: of all), owner by owner. */
  byOwner(owners: readonly string[] | null): AsyncGenerator<[owner: string, prices: ReadPrice[]]> {
    return rowsByOwner<PriceRow, ReadPrice>(this.pool, PRICES, owners, (row) => ({
      id: row.id,
      provider: row.provider,
      model: row.model,
      source: row.source,
      effectiveAt: row.effectiveAt,
      createdAt: row.createdAt,
      price: readable(row),
    }));
  }

  /** The prices of an owner, a tenant or the platform (null), the latest first. */
  async list(tenantId: string | null, db: PrismaExecutor = this.prisma): Promise<Price[]> {
    const rows = await db.price.findMany({
      where: { tenantId },
      orderBy: [{ effectiveAt: 'desc' }, { createdAt: 'desc' }, { id: 'desc' }],
    });
    return rows.map(toPrice);
  }
}

const PRICES: OwnedTable = {
  columns: `t.id, t.tenant_id AS "tenantId", t.provider, t.model, t.rates, t.tiers, t.source, t.notes, t.effective_at AS "effectiveAt",
    t.created_at AS "createdAt"`,
  table: 'prices',
  key: 'id',
  where: 'true',
  joined: { joins: 'LEFT JOIN tenants tenant ON tenant.id = t.tenant_id', where: 'tenant.deleted_at IS NULL' },
  platform: true,
};

/** Null: its rates cannot be read. */
function readable(row: PriceRow): Price | null {
  try {
    return toPrice(row);
  } catch {
    return null;
  }
}

const toRow = (price: NewPrice) => ({
  id: newId(),
  tenantId: price.tenantId,
  provider: price.provider,
  model: price.model,
  rates: storeRates(price.rates),
  tiers: price.tiers.map((tier) => ({ above_input_tokens: tier.aboveInputTokens, rates: storeRates(tier.rates) })),
  source: price.source,
  notes: price.notes,
  effectiveAt: price.effectiveAt,
});

type PriceRow = Awaited<ReturnType<Prisma['price']['findFirstOrThrow']>>;

function toPrice(row: PriceRow): Price {
  const tiers = row.tiers as unknown as StoredTier[];
  return {
    ...row,
    rates: loadRates(row.rates as StoredRates),
    tiers: tiers.map((tier) => ({ aboveInputTokens: tier.above_input_tokens, rates: loadRates(tier.rates) })),
  };
}
