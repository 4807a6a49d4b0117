import { listedPrices } from './catalog.js';
import { loadRates, type Price } from './price.js';
import { inRegion } from './regions.js';

const priceOf = (catalogId: string, model: string): Price => {
  const listed = listedPrices('any', catalogId).find((one) => one.model === model)!;
  const tiers = listed.tiers.map((tier) => ({ aboveInputTokens: tier.above_input_tokens, rates: loadRates(tier.rates) }));
  return { model, rates: loadRates(listed.rates), tiers } as unknown as Price;
};

test.each([
  ['google', 'claude-opus-5-5', 'claude-opus-5-5', 4.4, 22],
  ['google', 'claude-sonnet-4-5', 'claude-sonnet-4-5@20250929', 3.3, 16.5],
  ['google', 'gemini-3.8-flash', 'gemini-3.8-flash', 0.825, 4.125],
  ['openai', 'gpt-6.1-terra', 'gpt-6.1-terra', 1.1, 5.5],
  ['openai', 'gpt-4o', 'gpt-4o', 2.5, 10],
  ['google', 'gemini-2.5-pro', 'gemini-2.5-pro', 1.25, 10],
])('%s %s, asked for as %s, is %f and %f in a region', (catalogId, model, name, input, output) => {
  const { rates, tiers } = inRegion(priceOf(catalogId, model), name);
  expect([Number(rates.input) / 1e9, Number(rates.output) / 1e9]).toEqual([input, output]);
  expect(tiers.length).toBe(priceOf(catalogId, model).tiers.length);
});
