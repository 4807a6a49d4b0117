import { createHash } from 'node:crypto';
import { OPTIONAL_UNITS, RATED_UNITS } from '../kernel/usage.js';
import { type Price, type Rates, type StoredRates, storeRates } from './price.js';
import type { NewPrice } from './prices.repository.js';

/** A price of an uploaded catalog. `effectiveAt` null: from when it is applied. */
export type UploadedPrice = Pick<NewPrice, 'provider' | 'model' | 'rates' | 'tiers'> & { effectiveAt: Date | null };

/** One price that an upload would add. */
interface PriceChange {
  price: UploadedPrice;
  /** What is in force at that time; null: nothing is. */
  before: Price | null;
  /** Why an operator should look twice; null: nothing is unusual. */
  flag: string | null;
}

/** What an upload would change. Its digest names exactly these changes. */
export interface UploadPlan {
  changes: readonly PriceChange[];
  unchanged: number;
  digest: string;
}

/** A rate that moves by more than this is likelier a slip of the point than a vendor's price. */
const MAX_FACTOR = 3;
const MAX_AHEAD_MS = 366 * 86_400_000;

/**
 * Compares uploaded prices with what the platform has in force when they begin. Uploading the same again changes nothing.
 * @param known the latest first.
 * @param asOf when the file was made, as far as it says: what was set later may be newer than it.
 */
export function planUpload(uploaded: readonly UploadedPrice[], known: readonly Price[], now: number, asOf: Date | null): UploadPlan {
  const shelves = Map.groupBy(known, (price) => `${price.provider} ${price.model}`);
  const changes = uploaded.flatMap((price): PriceChange[] => {
    const since = price.effectiveAt?.getTime() ?? now;
    const shelf = shelves.get(`${price.provider} ${price.model}`) ?? [];
    const before = shelf.find((one) => one.effectiveAt.getTime() <= since) ?? null;
    if (before && textOf(before) === textOf(completed(price, before))) return [];
    return [{ price, before, flag: ageFlag(shelf, since, now, asOf) ?? flagOf(price, before, since - now) }];
  });
  const told = changes.map(({ price, before }) => [
    price.provider,
    price.model,
    price.effectiveAt?.getTime() ?? null,
    textOf(price),
    before?.id ?? null,
  ]);
  return { changes, unchanged: uploaded.length - changes.length, digest: createHash('sha256').update(JSON.stringify(told)).digest('hex') };
}

const textOf = ({ rates, tiers }: Pick<Price, 'rates' | 'tiers'>): string =>
  JSON.stringify([ratesText(storeRates(rates)), tiers.map((tier) => [tier.aboveInputTokens, ratesText(storeRates(tier.rates))])]);

/** What a file does not tell of media and fees stays as it is listed. */
function completed({ rates, tiers }: UploadedPrice, before: Price): Pick<Price, 'rates' | 'tiers'> {
  const beside = (given: Rates, listed: Rates): Rates => {
    const all = { ...given };
    for (const { field } of OPTIONAL_UNITS) all[field] ??= listed[field];
    return all;
  };
  return {
    rates: beside(rates, before.rates),
    tiers: tiers.map((tier, at) => ({ ...tier, rates: beside(tier.rates, before.tiers[at]?.rates ?? before.rates) })),
  };
}

const ratesText = (rates: StoredRates) => RATED_UNITS.map(({ rate }) => rates[rate.stored]).join(' ');

/** A file may be older than what is in force: applied, it would bring an old price back, or change what is past only. */
function ageFlag(shelf: readonly Price[], since: number, now: number, asOf: Date | null): string | null {
  const inForce = shelf.find((one) => one.effectiveAt.getTime() <= now);
  if (inForce && inForce.effectiveAt.getTime() > since)
    return 'A later price is in force: this one counts only where calls of that time are priced again.';
  if (inForce && asOf && inForce.source === 'operator' && inForce.createdAt > asOf)
    return 'The price in force was set after this file was made.';
  return null;
}

function flagOf({ rates }: UploadedPrice, before: Price | null, aheadMs: number): string | null {
  if (aheadMs > MAX_AHEAD_MS) return 'It begins more than a year from now.';
  if (rates.output > 0n && rates.output < rates.input) return 'Output costs less than input.';
  if (!before) return rates.input === 0n && rates.output === 0n ? 'It is free.' : null;
  for (const { field: name } of RATED_UNITS) {
    const [was, is] = [Number(before.rates[name]), Number(rates[name])];
    if (was === is || rates[name] === null || before.rates[name] === null) continue;
    if (is === 0) return `${name} becomes free.`;
    if (was === 0 || is > was * MAX_FACTOR || was > is * MAX_FACTOR) return `${name} changes by more than a factor of ${MAX_FACTOR}.`;
  }
  return null;
}
