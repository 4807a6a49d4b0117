import type { Nano } from '../kernel/money.js';
import {
  FEE_UNITS,
  type Fees,
  type FeeUnit,
  isOptional,
  MEDIA_UNITS,
  type MediaUnit,
  NO_USAGE,
  OPTIONAL_UNITS,
  type OptionalUnit,
  RATED_UNITS,
  type RatedUnit,
  TEXT_UNITS,
  type TextUnit,
  type TokenSide,
  type Usage,
} from '../kernel/usage.js';

/** Nano-USD per million, by unit. Null: not known. */
export type Rates = Record<TextUnit['field'], bigint> & Record<OptionalUnit['field'], bigint | null>;

/** Rates for a whole request whose input is longer than a threshold. */
export interface Tier {
  aboveInputTokens: number;
  rates: Rates;
}

/** An immutable price: a correction is a later row. `tenantId` null: the platform's. `model` `*` stands for every model of the provider. */
export interface Price {
  id: string;
  tenantId: string | null;
  provider: string;
  model: string;
  rates: Rates;
  /** By rising threshold. */
  tiers: readonly Tier[];
  /** Who says so: `catalogue`, `operator`, or `admin` for a tenant's own. */
  source: string;
  notes: string | null;
  effectiveAt: Date;
  createdAt: Date;
}

/** Nobody who pays said so: it is what vendors list. */
export const isCatalog = ({ source }: Pick<Price, 'source'>): boolean => source !== 'operator' && source !== 'admin';

/**
 * For a million searches where a price has no fee: the dearest that is known. Web grounding for enterprise on Vertex AI is $45 for a thousand
 * prompts with Gemini 2 (cloud.google.com/vertex-ai/generative-ai/pricing, as quoted in public notes, read 2026-11-28). Others: Google's grounding
 * $35 with Gemini 2.5 and $14 a query with Gemini 3 (ai.google.dev/gemini-api/docs/pricing, as quoted by github.com/iyulab/TokenMeter v0.13.0),
 * OpenAI's search preview $25, Claude $10.
 */
const DEAREST_FEES: Readonly<Record<FeeUnit['field'], bigint>> = {
  webSearch: 45_000_000_000_000n,
  // OpenAI's, $2.50 for a thousand (genai-prices 0.1.8, storage_searches_kcount). No other is known.
  fileSearch: 2_500_000_000_000n,
};

const TOKEN_UNITS = [...TEXT_UNITS, ...MEDIA_UNITS];

const MAX_TOKENS = BigInt(Number.MAX_SAFE_INTEGER);
const TOKENS_PER_RATE = 1_000_000n;

/** The rates that apply to a request with this much input. */
export function ratesFor(price: Price, inputTokens: number): Rates {
  return price.tiers.findLast((tier) => inputTokens > tier.aboveInputTokens)?.rates ?? price.rates;
}

/** What an attempt cost: multiplied first, divided once, rounded up once. */
export function costOf(usage: Usage, rates: Rates): Nano {
  let scaled = 0n;
  for (const { field } of RATED_UNITS) {
    const quantity = usage[field];
    if (quantity !== 0) scaled += BigInt(quantity) * rateOf(rates, field);
  }
  return divideUp(scaled);
}

/**
 * The rate of a unit. Of a fee that is not known, the dearest. Of media in input, what text costs: vendors list their rate where it is another. Of
 * media in output, the dearest output.
 */
export function rateOf(rates: Rates, field: RatedUnit['field']): bigint {
  const told = rates[field];
  if (told !== null) return told;
  const unit = MEDIA_UNITS.find((one) => one.field === field);
  if (!unit) return DEAREST_FEES[field as FeeUnit['field']];
  return unit.side === 'input' ? rates[unit.medium.plain] : dearest(rates, 'output', TOKEN_UNITS);
}

/** The most that so much of it costs. Null: it has no price. */
export function feesAtMost({ rates, tiers }: Price, fees: Fees): Nano | null {
  const all = [rates, ...tiers.map((tier) => tier.rates)];
  if (FEE_UNITS.some(({ field }) => (fees[field] ?? 0) > 0 && all.some((one) => one[field] === null))) return null;
  return all.map((one) => costOf({ ...NO_USAGE, ...fees }, one)).reduce((most, cost) => (cost > most ? cost : most));
}

/** The most a call can cost: every token in the dearest unit of its side, in the dearest tier. */
export function worstCaseCost(price: Price, inputTokensBound: number, outputTokensBound: number): Nano {
  const reachable = [price.rates, ...price.tiers.filter((tier) => inputTokensBound > tier.aboveInputTokens).map((tier) => tier.rates)];
  const costs = reachable.map((rates) =>
    divideUp(BigInt(inputTokensBound) * dearest(rates, 'input') + BigInt(outputTokensBound) * dearest(rates, 'output')),
  );
  return costs.reduce((worst, cost) => (cost > worst ? cost : worst));
}

/** How many output tokens an amount pays for, after the input. Zero when it does not even pay for that. */
export function affordableOutput(price: Price, inputTokensBound: number, amount: Nano): number {
  const rates = ratesFor(price, inputTokensBound);
  return outputFor(amount * TOKENS_PER_RATE - BigInt(inputTokensBound) * dearest(rates, 'input'), rates);
}

/** How many output tokens an amount pays for that is for output alone. */
export const outputBoughtBy = (price: Price, inputTokensBound: number, amount: Nano): number =>
  outputFor(amount * TOKENS_PER_RATE, ratesFor(price, inputTokensBound));

/** What output tokens alone cost, rounded down: the other way of {@link outputBoughtBy}. */
export const outputCost = (price: Price, inputTokensBound: number, tokens: number): Nano =>
  (BigInt(tokens) * dearest(ratesFor(price, inputTokensBound), 'output')) / TOKENS_PER_RATE;

function outputFor(scaled: bigint, rates: Rates): number {
  if (scaled <= 0n) return 0;
  const rate = dearest(rates, 'output');
  const tokens = rate === 0n ? MAX_TOKENS : scaled / rate;
  return Number(tokens < MAX_TOKENS ? tokens : MAX_TOKENS);
}

/** A price for calls with such tokens: text costs at least what they do. */
export function priceWith(price: Price, media: readonly MediaUnit[]): Price {
  const dear = (rates: Rates): Rates => {
    const dearer = { ...rates };
    for (const { field, medium } of media) {
      const rate = rateOf(rates, field);
      if (rate > dearer[medium.plain]) dearer[medium.plain] = rate;
    }
    return dearer;
  };
  return { ...price, rates: dear(price.rates), tiers: price.tiers.map((tier) => ({ ...tier, rates: dear(tier.rates) })) };
}

/** Whether it has rates of its own for all of them. */
export const listsAll = ({ rates, tiers }: Price, media: readonly MediaUnit[]): boolean =>
  [rates, ...tiers.map((tier) => tier.rates)].every((one) => media.every(({ field }) => one[field] !== null));

function dearest(rates: Rates, side: TokenSide, units: readonly (TextUnit | MediaUnit)[] = TEXT_UNITS): bigint {
  let most = 0n;
  for (const unit of units) {
    const rate = rates[unit.field];
    if (unit.side === side && rate !== null && rate > most) most = rate;
  }
  return most;
}

const divideUp = (scaled: bigint): bigint => (scaled + TOKENS_PER_RATE - 1n) / TOKENS_PER_RATE;

/** A rate that is told for so many, as prices store it. */
export const perMillion = (rate: bigint, per: number): bigint => (rate * TOKENS_PER_RATE) / BigInt(per);

/** As {@link perMillion}, the other way. */
export const perUnits = (rate: bigint, per: number): bigint => (rate * BigInt(per)) / TOKENS_PER_RATE;

/** Rates as a JSON column holds them. Safe integers: a rate is below 9e15 nano-USD, i.e. nine million dollars per million tokens. */
export type StoredRates = Record<TextUnit['rate']['stored'], number> & Partial<Record<OptionalUnit['rate']['stored'], number>>;

/** The rates of all units: one that is not given is that of its fallback, and without a fallback 0, or null where a price may be without it. */
export function ratesBy(given: (unit: RatedUnit) => bigint | undefined): Rates {
  const rates = {} as Rates;
  for (const unit of TEXT_UNITS) rates[unit.field] = given(unit) ?? (unit.rate.fallback === null ? 0n : rates[unit.rate.fallback]);
  for (const unit of OPTIONAL_UNITS) rates[unit.field] = given(unit) ?? (unit.rate.fallback === null ? null : rates[unit.rate.fallback]);
  return rates;
}

/** By the names that units have somewhere. */
export function named<T, Name extends string>(name: (unit: RatedUnit) => Name, value: (unit: RatedUnit) => T): Record<Name, T> {
  const all = {} as Record<Name, T>;
  for (const unit of RATED_UNITS) all[name(unit)] = value(unit);
  return all;
}

export function storeRates(rates: Rates): Readonly<StoredRates> {
  let known = stored.get(rates);
  if (!known) {
    known = Object.fromEntries(
      RATED_UNITS.flatMap(({ field, rate }) => (rates[field] === null ? [] : [[rate.stored, Number(rates[field])]])),
    ) as StoredRates;
    stored.set(rates, known);
  }
  return known;
}

/** Rates never change, and each call stores those of its price twice. */
const stored = new WeakMap<Rates, StoredRates>();

/** Rates that were stored before a unit was known lack it. @throws TypeError where a rate is missing that has no fallback: it is never free. */
export function loadRates(kept: StoredRates): Rates {
  return ratesBy((unit) =>
    kept[unit.rate.stored] === undefined && (isOptional(unit) || unit.rate.fallback !== null) ? undefined : BigInt(kept[unit.rate.stored]!),
  );
}
