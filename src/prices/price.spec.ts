import fc from 'fast-check';
import { inputTotal, MEDIA_UNITS, NO_USAGE, outputTotal } from '../kernel/usage.js';
import {
  affordableOutput,
  costOf,
  feesAtMost,
  loadRates,
  type Price,
  priceWith,
  type Rates,
  ratesBy,
  ratesFor,
  storeRates,
  worstCaseCost,
} from './price.js';

const rate = fc.bigInt({ min: 0n, max: 1_000_000_000_000n });
const [text, maybe] = [{ input: rate, cacheRead: rate, cacheWrite5m: rate, cacheWrite1h: rate, output: rate }, fc.option(rate)];
const media = { audioInput: maybe, audioCacheRead: maybe, imageInput: maybe, audioOutput: maybe, imageOutput: maybe };
/** As they are loaded: cached sound that has no rate costs what sound does. */
const rates = fc
  .record({ ...text, ...media, webSearch: fc.option(rate), fileSearch: fc.option(rate) })
  .map((told) => ({ ...told, audioCacheRead: told.audioCacheRead ?? told.audioInput }));
const tokens = fc.integer({ min: 0, max: 2_000_000 });
const usage = fc
  .record({
    input: tokens,
    cacheRead: tokens,
    cacheWrite5m: tokens,
    cacheWrite1h: tokens,
    output: tokens,
    reasoning: fc.constant(null),
    webSearch: fc.nat(100),
  })
  .map((counted) => ({ ...NO_USAGE, ...counted }));
const usageOfMedia = fc
  .record({ audioInput: tokens, audioCacheRead: tokens, imageInput: tokens, audioOutput: tokens, imageOutput: tokens })
  .chain((media) => usage.map((counted) => ({ ...counted, ...media, webSearch: 0 })));
const price = fc.record({ rates, tiers: fc.array(fc.record({ aboveInputTokens: tokens, rates }), { maxLength: 2 }) }).map(
  (fields): Price => ({
    id: 'p',
    tenantId: null,
    provider: 'x',
    model: 'm',
    source: 'test',
    notes: null,
    effectiveAt: new Date(0),
    createdAt: new Date(0),
    rates: fields.rates,
    tiers: fields.tiers.sort((a, b) => a.aboveInputTokens - b.aboveInputTokens),
  }),
);

const NO_RATES: Rates = ratesBy(() => undefined);

test('no usage within the bounds costs more than the worst case', () => {
  fc.assert(
    fc.property(price, usage, (p, u) => {
      const input = u.input + u.cacheRead + u.cacheWrite5m + u.cacheWrite1h;
      const fees = feesAtMost(p, { webSearch: u.webSearch });
      const used = fees === null ? { ...u, webSearch: 0 } : u;
      return costOf(used, ratesFor(p, input)) <= worstCaseCost(p, input, u.output) + (fees ?? 0n);
    }),
  );
});

test('sound and images cost no more than the worst case at a price for them, with rates of their own or without', () => {
  fc.assert(
    fc.property(price, usageOfMedia, (p, u) => {
      const input = inputTotal(u);
      return costOf(u, ratesFor(p, input)) <= worstCaseCost(priceWith(p, MEDIA_UNITS), input, outputTotal(u));
    }),
  );
});

test('a fee that a price does not have is not free: it has no worst case, and costs the dearest', () => {
  fc.assert(
    fc.property(price, usage, (p, u) => {
      const [used, without] = [
        { ...u, webSearch: 1 },
        { ...u, webSearch: 0 },
      ];
      const unknown = { ...p, tiers: [...p.tiers, { aboveInputTokens: 2_000_001, rates: { ...p.rates, webSearch: null } }] };
      expect(feesAtMost(unknown, { webSearch: 1 })).toBeNull();
      expect(feesAtMost(unknown, {})).toBe(0n);
      const { rates } = unknown.tiers.at(-1)!;
      expect(costOf(used, rates)).toBe(costOf(without, rates) + 45_000_000n);
    }),
  );
});

test('what is affordable fits, and one token more does not', () => {
  fc.assert(
    fc.property(price, tokens, fc.bigInt({ min: 0n, max: 10n ** 13n }), (p, input, amount) => {
      const flat = { ...p, tiers: [] };
      const output = affordableOutput(flat, input, amount);
      if (output === Number.MAX_SAFE_INTEGER) return true;
      return (output === 0 || worstCaseCost(flat, input, output) <= amount) && worstCaseCost(flat, input, output + 1) > amount - 1n;
    }),
  );
});

test('cost is rounded up once, at the end', () => {
  const third = { ...NO_RATES, input: 333_333n, cacheRead: 333_333n };
  expect(costOf({ ...NO_USAGE, input: 1, cacheRead: 1, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: null }, third)).toBe(1n);
});

test('a long prompt moves the whole request into its tier', () => {
  const base = { input: 1n, cacheRead: 1n, cacheWrite5m: 1n, cacheWrite1h: 1n, output: 1n, webSearch: null };
  const long = { ...base, input: 2n };
  const tiered = { rates: base, tiers: [{ aboveInputTokens: 100, rates: long }] } as unknown as Price;
  expect([ratesFor(tiered, 100), ratesFor(tiered, 101)]).toEqual([base, long]);
});

test('rates survive being stored', () => {
  fc.assert(fc.property(rates, (r) => expect(loadRates(storeRates(r))).toEqual(r)));
});

test('stored rates without one that has no fallback are not read: a class of tokens is never free by mistake', () => {
  const stored = storeRates({ ...NO_RATES, input: 1n, cacheRead: 2n, cacheWrite5m: 3n, cacheWrite1h: 4n, output: 5n });
  const { cache_read: _, ...older } = stored;
  expect(loadRates(older as typeof stored)).toMatchObject({ input: 1n, cacheRead: 1n, output: 5n });
  for (const missing of ['input', 'output'] as const) {
    const { [missing]: __, ...rest } = stored;
    expect(() => loadRates(rest as typeof stored)).toThrow(TypeError);
  }
});
