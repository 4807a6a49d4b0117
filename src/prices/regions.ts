import { vendorsName } from './names.js';
import type { Price, Rates } from './price.js';

/**
 * Models that cost a tenth more where they are kept to a region, read 2026-11-28:
 * - Claude from 4.5 on, on Vertex AI: platform.claude.com/docs/en/about-claude/pricing. On Bedrock the names tell, and the catalogue has them.
 * - Gemini from 3 on, on Vertex AI: cloud.google.com/vertex-ai/generative-ai/pricing, where gemini-3.8-flash is $0.825 beside $0.75.
 * - OpenAI's from gpt-5.4 on, at hosts of data residency: developers.openai.com/api/docs/pricing, as quoted by apidog.com of 2026-10.
 */
const DEARER = /claude-(?:[a-z]+-)?(?:4-[5-9]|[5-9])(?![\d])|gemini-[3-9]|gpt-(?:5\.[4-9]|[6-9])/;
const PERCENT = 110n;

const ofRegion = new WeakMap<Price, Price>();

/** What the vendor lists for a model, kept to a region. */
export function inRegion(price: Price, model: string): Price {
  if (!DEARER.test(vendorsName(model))) return price;
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
