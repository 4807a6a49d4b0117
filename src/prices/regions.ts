import { isFee, RATED_UNITS } from '../kernel/usage.js';
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

/** Fees are the same everywhere. */
function raised(rates: Rates): Rates {
  const dearer = { ...rates };
  for (const unit of RATED_UNITS) {
    const rate = rates[unit.field];
    if (!isFee(unit) && rate !== null) dearer[unit.field] = more(rate);
  }
  return dearer;
}
