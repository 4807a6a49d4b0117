import { z } from 'zod';
import { formatUsd } from '../kernel/money.js';
import { isOptional, type OptionalUnit, type RatedUnit, type TextUnit } from '../kernel/usage.js';
import { Currency, Money } from '../platform/openapi/index.js';
import { named, perUnits, type Rates } from './price.js';

type Names = RatedUnit['rate']['api'];
type Shown<Needed, Optional> = Record<TextUnit['rate']['api'], Needed> & Record<OptionalUnit['rate']['api'], Optional>;

const apiName = ({ rate }: RatedUnit): Names => rate.api;

/** What `formatRates` returns. */
export const RatesObject = named(apiName, (unit) =>
  isOptional(unit) ? Money.nullable().describe(`USD per ${unit.rate.per}. null: not known.`) : Money,
) as Shown<typeof Money, z.ZodNullable<typeof Money>>;

/** What `renderRates` returns. */
export const PricedRatesObject = { ...RatesObject, currency: Currency, unit: z.literal('million_tokens') };

/** As USD per million tokens; a fee for as many as its unit says. */
export const formatRates = (rates: Rates) =>
  named(apiName, ({ field, rate }) => (rates[field] === null ? null : formatUsd(perUnits(rates[field], rate.per)))) as Shown<
    string,
    string | null
  >;

/** The same, with what they are in. */
export const renderRates = (rates: Rates) => ({ ...formatRates(rates), currency: 'usd' as const, unit: 'million_tokens' as const });
