export { type BeyondText, costBeyond } from './beyond-text.js';
export {
  affordableOutput,
  costOf,
  feesAtMost,
  isCatalog,
  listsAll,
  loadRates,
  outputBoughtBy,
  outputCost,
  type Price,
  perMillion,
  perUnits,
  priceWith,
  type Rates,
  rateOf,
  ratesBy,
  ratesFor,
  type StoredRates,
  storeRates,
  type Tier,
  worstCaseCost,
} from './price.js';
export { type Listed, PriceBook } from './price-book.js';
export { PricesModule } from './prices.module.js';
export { PricesService } from './prices.service.js';
export { formatRates, PricedRatesObject, RatesObject, renderRates } from './rates-object.js';
export type { UploadPlan } from './upload.js';
