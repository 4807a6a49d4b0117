import type { Nano } from './money.js';

const NANO_PER_USD = 1e9;
/** xAI counts in these. */
const TICKS_PER_NANO = 10;
const MAX_USD = 1e6;

type Fields = Readonly<Record<string, unknown>>;

/**
 * What a provider says that a call cost, in its own usage object. Null: it does not say, as most do not. Facts as of 2026-11: `cost` in USD
 * (OpenRouter; of a customer's own key only its fee, the rest in `cost_details`), or an object with `total_cost` (Perplexity);
 * `estimated_cost` (DeepInfra); `cost_in_usd_ticks` (xAI).
 */
export function reportedCost(usageRaw: unknown): Nano | null {
  const usage = fieldsOf(usageRaw);
  const ticks = numberOf(usage['cost_in_usd_ticks']);
  if (ticks !== null) return nano(ticks / TICKS_PER_NANO / NANO_PER_USD);
  const own = usage['is_byok'] === true ? (numberOf(fieldsOf(usage['cost_details'])['upstream_inference_cost']) ?? 0) : 0;
  const cost = [usage['cost'], fieldsOf(usage['cost'])['total_cost'], usage['total_cost'], usage['estimated_cost']]
    .map(numberOf)
    .find((usd) => usd !== null);
  return cost === undefined ? null : nano(cost + own);
}

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});

function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && number >= 0 && number <= MAX_USD * NANO_PER_USD * TICKS_PER_NANO ? number : null;
}

const nano = (usd: number): Nano | null => (usd <= MAX_USD ? BigInt(Math.round(usd * NANO_PER_USD)) : null);
