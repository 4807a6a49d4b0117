import { z } from 'zod';
import { RATED_UNITS, type RatedUnit } from '../kernel/usage.js';
import { Currency, Money } from '../platform/openapi/index.js';
import { formatRates, type Rates } from './price.js';

/** What `formatRates` returns. */
export const RatesObject = Object.fromEntries(RATED_UNITS.map(({ rate }) => [rate.api, Money])) as Record<
  RatedUnit['rate']['api'],
  typeof Money
>;

/** What `renderRates` returns. */
export const PricedRatesObject = { ...RatesObject, currency: Currency, unit: z.literal('million_tokens') };

/** USD per million tokens, and that it is this. */
export const renderRates = (rates: Rates) => ({ ...formatRates(rates), currency: 'usd' as const, unit: 'million_tokens' as const });
