import { findProvider, type ModelInfo, type ModelPrice, type TieredPrices } from '@pydantic/genai-prices';
import { isOptional } from '../kernel/usage.js';
import { rulesOf, vendorsName } from '../model-rules/index.js';
import { ADDITIONS, type Addition, BORROWED, type UsdRates } from './additions.js';
import { isRevision, means } from './names.js';
import { perMillion, type Rates, ratesBy, type StoredRates, storeRates } from './price.js';

/** The version of the catalog that is seeded, and of what is added to it; stored with each row. */
export const CATALOG_SOURCE = 'genai-prices 0.1.8, additions 2026-11-30';

const NANO_PER_USD = 1_000_000_000;

export interface CatalogPrice {
  model: string;
  effectiveAt: Date;
  rates: StoredRates;
  tiers: { above_input_tokens: number; rates: StoredRates }[];
  notes?: string;
}

/** What the mock provider pretends to cost, so that budgets can be tried without a bill: $1 and $2 per million tokens. */
const MOCK_PRICES: CatalogPrice[] = ['*', 'echo'].map((model) => ({
  model,
  effectiveAt: new Date(0),
  rates: storeRates(
    ratesBy((unit) =>
      unit.rate.fallback !== null || isOptional(unit) ? undefined : unit.side === 'input' ? 1_000_000_000n : 2_000_000_000n,
    ),
  ),
  tiers: [],
}));

/** What the platform lists for a provider from the start. */
export function listedPrices(slug: string, catalogId: string | null): CatalogPrice[] {
  if (slug === 'mock') return MOCK_PRICES;
  return catalogId ? [...ownPrices(catalogId), ...borrowedPrices(catalogId)] : [];
}

/** The id for a model under which its price is stored: dated and aliased names are known. Null: none is known that certainly means this model. */
export function canonicalModel(catalogId: string, model: string): string | null {
  const own = ownModel(catalogId, model);
  if (own !== null) return own;
  for (const { by, from, prefix, of } of BORROWED) {
    if (by !== catalogId || !model.startsWith(prefix)) continue;
    const name = vendorsName(model.slice(prefix.length).replace(/^anthropic\//, ''));
    const lent = of.test(name) ? ownModel(from, name) : null;
    if (lent !== null) return prefix + lent;
  }
  return null;
}

const modelsOf = (catalogId: string): readonly ModelInfo[] => findProvider({ providerId: catalogId })?.models ?? [];

function ownModel(catalogId: string, model: string): string | null {
  const name = model.toLowerCase();
  const added = ADDITIONS.find((one) => one.catalogId === catalogId && isRevision(vendorsName(name), one.model));
  if (added) return added.model;
  const models = modelsOf(catalogId);
  return (models.find(({ id }) => id === model) ?? models.find(({ match }) => means(match, name)))?.id ?? null;
}

/** What a vendor's models cost: the catalog's prices, and ours. */
function ownPrices(catalogId: string): CatalogPrice[] {
  const added = ADDITIONS.filter((addition) => addition.catalogId === catalogId).map(toPrice);
  return [...modelsOf(catalogId).flatMap(pricesOf), ...added];
}

function borrowedPrices(catalogId: string): CatalogPrice[] {
  return BORROWED.filter(({ by }) => by === catalogId).flatMap(({ from, prefix, of, source }) =>
    ownPrices(from)
      .filter(({ model }) => of.test(model) && ownModel(catalogId, prefix + model) === null)
      .map((price) => ({ ...price, model: prefix + price.model, notes: source })),
  );
}

/** A model's prices by the day they begin. Hours of the day are not known to prices: what holds for some hours counts for all, where it is dearer. */
function pricesOf({ id, prices }: ModelInfo): CatalogPrice[] {
  const entries = Array.isArray(prices) ? prices : [{ prices, constraint: undefined }];
  const always = entries.flatMap(({ prices: price, constraint }) =>
    constraint?.type === 'time_of_date' ? [] : [{ price, since: constraint?.start_date ?? '1970-01-01' }],
  );
  const hourly = entries.flatMap(({ prices: price, constraint }) => (constraint?.type === 'time_of_date' ? [ratesOf(id, price)] : []));
  return always.flatMap(({ price, since }) => {
    if (!('input_mtok' in price || 'output_mtok' in price)) return [];
    return [{ model: id, effectiveAt: dayOf(since), ...[ratesOf(id, price), ...hourly].reduce(dearer) }];
  });
}

const dayOf = (day: string): Date => new Date(`${day}T00:00:00Z`);

function toPrice({ model, since, rates, above, source }: Addition): CatalogPrice {
  const stored = (usd: UsdRates) => storeRates(readRates(model, (key) => usd[key]));
  const tiers = above ? [{ above_input_tokens: above.inputTokens, rates: stored(above.rates) }] : [];
  return { model, effectiveAt: dayOf(since), rates: stored(rates), tiers, notes: source };
}

type Priced = Pick<CatalogPrice, 'rates' | 'tiers'>;

/** Class by class, and tier by tier. */
function dearer(a: Priced, b: Priced): Priced {
  const starts = [...new Set([...a.tiers, ...b.tiers].map((tier) => tier.above_input_tokens))].sort((x, y) => x - y);
  const at = ({ rates, tiers }: Priced, start: number) => tiers.findLast((tier) => tier.above_input_tokens <= start)?.rates ?? rates;
  const most = (x: StoredRates, y: StoredRates): StoredRates => {
    const names = [...new Set([...Object.keys(x), ...Object.keys(y)])] as (keyof StoredRates)[];
    return Object.fromEntries(names.map((name) => [name, Math.max(x[name] ?? 0, y[name] ?? 0)])) as StoredRates;
  };
  return {
    rates: most(a.rates, b.rates),
    tiers: starts.map((start) => ({ above_input_tokens: start, rates: most(at(a, start), at(b, start)) })),
  };
}

const isTiered = (value: ModelPrice[string]): value is TieredPrices => typeof value === 'object';
const baseOf = (value: ModelPrice[string]): number | undefined => (isTiered(value) ? value.base : value);

function ratesOf(model: string, price: ModelPrice): Priced {
  const thresholds = new Set(Object.values(price).flatMap((value) => (isTiered(value) ? value.tiers.map((tier) => tier.start) : [])));
  const at = (threshold: number | null) => (key: string) => {
    const value = price[key];
    if (threshold === null || !isTiered(value)) return baseOf(value);
    return value.tiers.findLast((tier) => tier.start <= threshold)?.price ?? value.base;
  };
  return {
    rates: storeRates(readRates(model, at(null))),
    tiers: [...thresholds]
      .sort((a, b) => a - b)
      .map((start) => ({ above_input_tokens: start, rates: storeRates(readRates(model, at(start))) })),
  };
}

/** What is written to the cache for an hour costs twice as much as input with Claude, wherever it is served, if no price is told. */
function readRates(model: string, usdPer: (key: string) => number | undefined): Rates {
  const nano = (key: string): bigint | undefined => {
    const usd = usdPer(key);
    return usd === undefined ? undefined : BigInt(Math.round(usd * NANO_PER_USD));
  };
  return ratesBy(({ field, rate }) => {
    const isDear = field === 'cacheWrite1h' && rulesOf(model).prices.dearCacheHour;
    const told = nano(rate.catalog);
    return told === undefined ? (isDear ? (nano('input_mtok') ?? 0n) * 2n : undefined) : perMillion(told, rate.per);
  });
}
