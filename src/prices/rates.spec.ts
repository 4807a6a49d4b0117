import { CURRENT } from '../../test/support/current-rates.js';
import { canonicalModel, listedPrices } from './catalog.js';
import { loadRates } from './price.js';

const usd = (nano: bigint) => Number(nano) / 1e9;
/** In force on the day that the table was made. */
const TODAY = Date.parse('2026-11-28T00:00:00Z');

test('the table holds 60 models, each with its source and date', () => {
  expect(CURRENT.length).toBeGreaterThanOrEqual(60);
  for (const { source } of CURRENT) expect(source).toMatch(/\S+\.\S+.*2026-\d\d/);
});

test.each(CURRENT.map((row) => [`${row.catalogId} ${row.model}`, row] as const))('%s', (_, row) => {
  const { catalogId, model, input, output, cacheRead } = row;
  const name = canonicalModel(catalogId, model);
  const price = listedPrices('any', catalogId)
    .filter((one) => one.model === name && one.effectiveAt.getTime() <= TODAY)
    .sort((a, b) => b.effectiveAt.getTime() - a.effectiveAt.getTime())[0]!;
  const rates = loadRates(price.rates);
  expect([usd(rates.input), usd(rates.output), usd(rates.cacheRead)]).toEqual([input, output, cacheRead]);
});

describe('a name', () => {
  test.each([
    ['anthropic', 'claude-sonnet-5-5', 'claude-sonnet-5-5'],
    ['anthropic', 'claude-sonnet-5-5-20260928', 'claude-sonnet-5-5'],
    ['anthropic', 'claude-sonnet-5-20260301', 'claude-sonnet-5'],
    ['anthropic', 'claude-opus-4-20250514', 'claude-opus-4-0'],
    ['anthropic', 'claude-sonnet-4-20250514', 'claude-sonnet-4-0'],
    ['anthropic', 'claude-haiku-4-5-20251001', 'claude-haiku-4-5'],
    ['azure', 'gpt-4o', 'gpt-4o'],
    ['azure', 'gpt-5', 'gpt-5'],
    ['azure', 'gpt-5.6-sol', 'gpt-5.6-sol'],
    ['azure', 'o3', 'o3-2025-04-16'],
    ['google', 'claude-sonnet-5-5', 'claude-sonnet-5-5'],
    ['google', 'claude-sonnet-4-5@20250929', 'claude-sonnet-4-5'],
    ['google', 'claude-haiku-4-5@20251001', 'claude-haiku-4-5'],
    ['google', 'gemini-2.5-flash-preview-09-2025', 'gemini-2.5-flash'],
    ['aws', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'regional.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['aws', 'global.anthropic.claude-sonnet-5-v1:0', 'global.anthropic.claude-sonnet-5-v1:0'],
    ['openrouter', 'anthropic/claude-sonnet-5.5', 'anthropic/claude-sonnet-5-5'],
    ['openrouter', 'openai/gpt-6.1-sol', 'openai/gpt-6.1-sol'],
    ['openai', 'gpt-5.6-sol-2026-07-09', 'gpt-5.6-sol'],
    ['mistral', 'mistral-large-latest', 'mistral-large-latest'],
  ])('%s %s is priced as %s', (catalogId, model, canonical) => expect(canonicalModel(catalogId, model)).toBe(canonical));

  test('of a newer model is never an older one, in any catalog', () => {
    const wrong: string[] = [];
    for (const { catalogId, model } of CURRENT)
      for (const next of ['-9', '.9', '-9-20270101', '-9@20270101', '-mini', '-nano', '-pro', '-ultra', '-9-v1:0'])
        if (canonicalModel(catalogId, model + next) === canonicalModel(catalogId, model)) wrong.push(`${catalogId} ${model}${next}`);
    expect(wrong).toEqual([]);
    for (const name of ['anthropic.claude-sonnet-5-5', 'us.anthropic.claude-sonnet-5-5-v1:0', 'global.anthropic.claude-sonnet-5-5'])
      expect(canonicalModel('aws', name)).toBeNull();
  });
});

test('what holds for some hours of the day counts for all, where it is dearer', () => {
  const latest = (model: string) =>
    listedPrices('deepseek', 'deepseek')
      .filter((price) => price.model === model)
      .sort((a, b) => b.effectiveAt.getTime() - a.effectiveAt.getTime())[0]!.rates;
  expect(latest('deepseek-v4-pro')).toMatchObject({ input: 1.32e9, cache_read: 0.044e9, output: 3.96e9 });
  expect(latest('deepseek-v4-flash')).toMatchObject({ input: 0.3e9, cache_read: 0.006e9, output: 1.2e9 });
  expect(latest('deepseek-chat')).toMatchObject({ input: 0.27e9, output: 1.1e9 });
});

test('what Claude writes to the cache for an hour costs twice its input, wherever it is served', () => {
  for (const [slug, catalogId] of [
    ['anthropic', 'anthropic'],
    ['google-vertex-ai', 'google'],
    ['bedrock', 'aws'],
  ] as const)
    for (const { model, rates } of listedPrices(slug, catalogId).filter((price) => /claude-(?:[a-z]+-)?[45]/.test(price.model)))
      expect([model, rates.cache_write_1h]).toEqual([model, 2 * rates.input]);
});
