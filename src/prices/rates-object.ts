import { z } from 'zod';
import { formatUsd } from '../kernel/money.js';
import { Currency, Money } from '../platform/openapi/index.js';
import type { Rates } from './price.js';

/** What `formatRates` returns. */
export const RatesObject = { input: Money, output: Money, cache_read: Money, cache_write: Money, cache_write_1h: Money };

/** What `renderRates` returns. */
export const PricedRatesObject = { ...RatesObject, currency: Currency, unit: z.literal('million_tokens') };

/** As USD per million tokens. */
export const formatRates = (rates: Rates) => ({
  input: formatUsd(rates.input),
  output: formatUsd(rates.output),
  cache_read: formatUsd(rates.cacheRead),
  cache_write: formatUsd(rates.cacheWrite5m),
  cache_write_1h: formatUsd(rates.cacheWrite1h),
});

/** The same, with what they are in. */
export const renderRates = (rates: Rates) => ({ ...formatRates(rates), currency: 'usd' as const, unit: 'million_tokens' as const });
