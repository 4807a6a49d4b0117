import { rulesOf } from '../model-rules/index.js';
import type { Price, Rates } from './price.js';

/** A tenth more, for models that cost more where they are kept to a region. */
const PERCENT = 110n;

const ofRegion = new WeakMap<Price, Price>();

/** What the vendor lists for a model, kept to a region. */
export function inRegion(price: Price, model: string): Price {
  if (!rulesOf(model).prices.dearerInRegion) return price;
  const known = ofRegion.get(price);
  if (known) return known;
  const tiers = price.tiers.map((tier) => ({ ...tier, rates: raised(tier.rates) }));
  const dearer = { ...price, rates: raised(price.rates), tiers };
  ofRegion.set(price, dearer);
  return dearer;
}

const more = (rate: bigint): bigint => (rate * PERCENT + 99n) / 100n;

/** Searches cost the same everywhere. */
function raised({ special, ...rates }: Rates): Rates {
  const text = Object.fromEntries(Object.entries(rates).map(([name, rate]) => [name, more(rate)])) as Omit<Rates, 'special'>;
  if (!special) return text;
  const beside = Object.entries(special).map(([name, rate]) => [name, rate === null || name === 'search' ? rate : more(rate)]);
  return { ...text, special: Object.fromEntries(beside) };
}
