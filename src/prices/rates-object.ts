import { z } from 'zod';
import { formatUsd } from '../kernel/money.js';
import { Currency, Money } from '../platform/openapi/index.js';
import { named, type Rates } from './price.js';

/** What `formatRates` returns. */
export const RatesObject = named(
  ({ rate }) => rate.api,
  () => Money,
);

/** What `renderRates` returns. */
export const PricedRatesObject = { ...RatesObject, currency: Currency, unit: z.literal('million_tokens') };

/** As USD per million tokens. */
export const formatRates = (rates: Rates) =>
  named(
    ({ rate }) => rate.api,
    ({ field }) => formatUsd(rates[field]),
  );

/** The same, with what they are in. */
export const renderRates = (rates: Rates) => ({ ...formatRates(rates), currency: 'usd' as const, unit: 'million_tokens' as const });
