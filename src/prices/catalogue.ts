import { calcPrice, findProvider, type ModelPrice, type TieredPrices } from '@pydantic/genai-prices';
import type { Rates, StoredRates } from './price.js';
import { storeRates } from './price.js';

/** The version of the catalogue that is seeded; stored with each row. */
export const CATALOGUE_SOURCE = 'genai-prices 0.1.8';

const NANO_PER_USD = 1_000_000_000;

export interface CataloguePrice {
  model: string;
  effectiveAt: Date;
  rates: StoredRates;
  tiers: { above_input_tokens: number; rates: StoredRates }[];
}

/** What the mock provider pretends to cost, so that budgets can be tried without a bill: $1 and $2 per million tokens. */
const MOCK_PRICES: CataloguePrice[] = ['*', 'echo'].map((model) => ({
  model,
  effectiveAt: new Date(0),
  rates: { input: 1e9, cache_read: 1e9, cache_write_5m: 1e9, cache_write_1h: 1e9, output: 2e9 },
  tiers: [],
}));

/** What the platform lists for a provider from the start. */
export function listedPrices(slug: string, catalogueId: string | null): CataloguePrice[] {
  if (slug === 'mock') return MOCK_PRICES;
  return catalogueId ? cataloguePrices(catalogueId) : [];
}

/** Every priced model of a provider in the catalogue. Prices that differ by the time of day are taken at their dearest. */
function cataloguePrices(catalogueId: string): CataloguePrice[] {
  const models = findProvider({ providerId: catalogueId })?.models ?? [];
  return models.flatMap(({ id, prices }) => {
    const dated = (Array.isArray(prices) ? prices : [{ prices, constraint: undefined }]).map(({ prices: price, constraint }) => ({
      price,
      since: constraint?.type === 'start_date' ? constraint.start_date : '1970-01-01',
    }));
    const bySince = Map.groupBy(dated, (entry) => entry.since);
    return [...bySince].flatMap(([since, entries]) => {
      const dearest = entries.map((entry) => entry.price).reduce((a, b) => (inputRate(b) > inputRate(a) ? b : a));
      return 'input_mtok' in dearest || 'output_mtok' in dearest
        ? [{ model: id, effectiveAt: new Date(`${since}T00:00:00Z`), ...ratesOf(dearest) }]
        : [];
    });
  });
}

/** The catalogue's own id for a model, under which its price is stored: it knows dated and aliased names. Null when it knows none. */
export function canonicalModel(catalogueId: string, model: string): string | null {
  return calcPrice({ input_tokens: 1 }, model, { providerId: catalogueId })?.model.id ?? null;
}

const isTiered = (value: ModelPrice[string]): value is TieredPrices => typeof value === 'object';
const baseOf = (value: ModelPrice[string]): number | undefined => (isTiered(value) ? value.base : value);
const inputRate = (price: ModelPrice): number => baseOf(price['input_mtok']) ?? 0;

function ratesOf(price: ModelPrice): Pick<CataloguePrice, 'rates' | 'tiers'> {
  const thresholds = new Set(Object.values(price).flatMap((value) => (isTiered(value) ? value.tiers.map((tier) => tier.start) : [])));
  const at = (threshold: number | null) => (key: string) => {
    const value = price[key];
    if (threshold === null || !isTiered(value)) return baseOf(value);
    return value.tiers.findLast((tier) => tier.start <= threshold)?.price ?? value.base;
  };
  return {
    rates: storeRates(readRates(at(null))),
    tiers: [...thresholds].sort((a, b) => a - b).map((start) => ({ above_input_tokens: start, rates: storeRates(readRates(at(start))) })),
  };
}

/** A class without a price of its own costs what plain input does. */
function readRates(usdPerMillion: (key: string) => number | undefined): Rates {
  const nano = (usd: number | undefined, fallback: bigint) => (usd === undefined ? fallback : BigInt(Math.round(usd * NANO_PER_USD)));
  const input = nano(usdPerMillion('input_mtok'), 0n);
  const cacheWrite5m = nano(usdPerMillion('cache_write_mtok'), input);
  return {
    input,
    cacheRead: nano(usdPerMillion('cache_read_mtok'), input),
    cacheWrite5m,
    cacheWrite1h: nano(usdPerMillion('cache_write_1h_mtok'), cacheWrite5m),
    output: nano(usdPerMillion('output_mtok'), 0n),
  };
}
