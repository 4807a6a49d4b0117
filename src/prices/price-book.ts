import { Inject, Injectable } from '@nestjs/common';
import { OPTIONAL_UNITS } from '../kernel/usage.js';
import { ConfigChanges, PLATFORM, replaceOwned, ServerClock } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { canonicalModel } from './catalog.js';
import { isCatalog, type Price, type Rates } from './price.js';
import { PricesRepository, type ReadPrice } from './prices.repository.js';
import { inRegion } from './regions.js';

/** Prices by `provider model`, the latest first. */
type Shelf = Map<string, ReadPrice[]>;

const ANY_MODEL = '*';

/** Under which names the platform prices a provider. */
export interface Listing {
  slug: string;
  catalogId: string | null;
}

/** How a provider is listed on the platform. */
export interface Listed extends Listing {
  /** It is the platform's own, which pays for it. */
  lent: boolean;
  /** Its address keeps calls to a region, which some models cost more for. */
  regional: boolean;
}

/**
 * What calls cost, in memory. A tenant's price goes before the platform's, one that an operator set for the tenant before one that the tenant set,
 * a model's before the provider's `*`. Who pays a provider says what it costs: for one that the platform lends, of a tenant's prices only those
 * count that an operator set.
 */
@Injectable()
export class PriceBook {
  private readonly shelves = new Map<string, Shelf>();
  private readonly canonical = new Map<string, string | null>();

  constructor(
    private readonly repository: PricesRepository,
    private readonly clock: ServerClock,
    @Inject(LOGGER) private readonly log: Logger,
    private readonly changes: ConfigChanges,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds));
  }

  /**
   * The price in force at a time, now unless given. Null: unknown, which is not the same as free.
   * @param provider the name of the provider record, which a tenant's own prices go by.
   * @param listed how the provider is listed on the platform, where that applies: its slug, and its id in the price catalog.
   */
  find(tenantId: string, provider: string, model: string, listed: Listed | null, at = this.clock.now()): Price | null {
    const own = this.shelves.get(tenantId);
    const found =
      inForce(own, provider, model, at, isByOperator) ??
      inForce(own, provider, ANY_MODEL, at, isByOperator) ??
      (listed?.lent ? null : (inForce(own, provider, model, at) ?? inForce(own, provider, ANY_MODEL, at)));
    if (!found) return this.findListed(listed, model, at);
    return found.price && listed ? this.complete(found.price, listed, model, at) : found.price;
  }

  /** What the provider takes: the platform's price, whatever a tenant's own price charges. Null: unknown. */
  findListed(listed: Listed | null, model: string, at = this.clock.now()): Price | null {
    if (!listed) return null;
    const found = this.listed(listed, model, at) ?? inForce(this.shelves.get(PLATFORM), listed.slug, ANY_MODEL, at);
    return found?.price ? this.complete(found.price, listed, model, at) : null;
  }

  /** What the provider takes for a model by itself, as {@link findListed}. */
  findOwnListed(listed: Listed | null, model: string): Price | null {
    const price = listed && this.listed(listed, model, this.clock.now())?.price;
    return price ? this.complete(price, listed, model, this.clock.now()) : null;
  }

  /** The price of a model by itself, as {@link find}: what is said of every model of the provider does not count. */
  findOwn(tenantId: string, provider: string, model: string, listed: Listed | null, at = this.clock.now()): Price | null {
    const own = this.shelves.get(tenantId);
    const found = inForce(own, provider, model, at, isByOperator) ?? (listed?.lent ? null : inForce(own, provider, model, at));
    const price = (found ?? (listed && this.listed(listed, model, at)))?.price ?? null;
    return price && listed ? this.complete(price, listed, model, at) : price;
  }

  /**
   * What the vendor lists is that of its address. A price that people set has no rates for what is no text: those of the catalog hold beside it, or sound and images would cost what text does.
   * What is free stays free.
   */
  private complete(price: Price, { slug, catalogId, regional }: Listed, model: string, at: number): Price {
    if (isCatalog(price)) return regional ? inRegion(price, model) : price;
    const { input, output } = price.rates;
    if (input === 0n && output === 0n) return price;
    const platform = this.shelves.get(PLATFORM);
    const byVendor = ({ source }: ReadPrice) => isCatalog({ source });
    const found =
      inForce(platform, slug, model, at, byVendor) ??
      (catalogId ? inForce(platform, slug, this.canonicalModel(catalogId, model), at, byVendor) : null);
    if (!found?.price) return price;
    const listed = found.price.rates;
    const beside = (rates: Rates): Rates => {
      const all = { ...rates };
      for (const { field } of OPTIONAL_UNITS) all[field] ??= listed[field];
      return all;
    };
    return { ...price, rates: beside(price.rates), tiers: price.tiers.map((tier) => ({ ...tier, rates: beside(tier.rates) })) };
  }

  private listed({ slug, catalogId }: Listed, model: string, at: number): ReadPrice | null {
    const platform = this.shelves.get(PLATFORM);
    return inForce(platform, slug, model, at) ?? (catalogId ? inForce(platform, slug, this.canonicalModel(catalogId, model), at) : null);
  }

  /** Resolves when every price that was set before is known here, where waiting to be told of it is not good enough. */
  refresh(): Promise<void> {
    return this.changes.catchUp();
  }

  /** Models of a provider that have a price of their own, the tenant's and the platform's. */
  models(tenantId: string, provider: string, listed: Listing | null): string[] {
    const priced = [
      ...modelsOn(this.shelves.get(tenantId), provider),
      ...(listed ? modelsOn(this.shelves.get(PLATFORM), listed.slug) : []),
    ];
    return [...new Set(priced)].sort();
  }

  private reload(owners: readonly string[] | null): Promise<void> {
    return replaceOwned(owners, this.shelves.keys(), this.repository.byOwner(owners), (owner, prices) => {
      for (const { id, price } of prices)
        if (price === null) this.log.error({ price: id }, 'a price cannot be read, so its model has no price; set it again');
      if (prices.length === 0) this.shelves.delete(owner);
      else
        this.shelves.set(
          owner,
          Map.groupBy(prices.sort(latestFirst), ({ provider, model }) => `${provider} ${model}`),
        );
    });
  }

  private canonicalModel(catalogId: string, model: string): string {
    const key = `${catalogId} ${model}`;
    let canonical = this.canonical.get(key);
    if (canonical === undefined) {
      canonical = canonicalModel(catalogId, model);
      if (this.canonical.size > 10_000) this.canonical.clear();
      this.canonical.set(key, canonical);
    }
    return canonical ?? model;
  }
}

/** One that cannot be read is in force all the same: the one before it is not what the model costs. */
function inForce(shelf: Shelf | undefined, provider: string, model: string, at: number, counts = (_: ReadPrice) => true): ReadPrice | null {
  return shelf?.get(`${provider} ${model}`)?.find((price) => price.effectiveAt.getTime() <= at && counts(price)) ?? null;
}

const latestFirst = (a: ReadPrice, b: ReadPrice): number =>
  b.effectiveAt.getTime() - a.effectiveAt.getTime() || b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1);

const isByOperator = ({ source }: ReadPrice): boolean => source === 'operator';

function modelsOn(shelf: Shelf | undefined, provider: string): string[] {
  const prefix = `${provider} `;
  return [...(shelf?.keys() ?? [])]
    .filter((key) => key.startsWith(prefix) && key !== prefix + ANY_MODEL)
    .map((key) => key.slice(prefix.length));
}
