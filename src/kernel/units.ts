interface UnitRow {
  /** As ledger entries keep it. Never reused. */
  number: number;
  /** In code: of `Usage`, and of `Rates` where it has one. */
  field: string;
  /** `fee`: it is no token, and adds nothing to the tokens of a call. */
  side: 'input' | 'output' | 'fee';
  /** The unit that counts it already: it is informative, and null where the provider does not report it. Null: it is counted apart. */
  partOf: string | null;
  /**
   * What prices it: as prices store the rate, always for a million; as the APIs and the catalog name it, and for how many they tell it; the unit
   * whose rate it has where it has none. Null: a price of tokens has this rate, and a price may be without that of a fee, which then has no price.
   */
  rate: { stored: string; api: string; catalog: string; per: number; fallback: string | null } | null;
  /** Where APIs show it, beside the total of its side: of a call, and of sums over calls. Units of one name are added. */
  shown: { call: string | null; sums: string | null };
}

/**
 * What usage is counted in, a row per unit. A new one needs no migration: all that counts, prices, books and reports follows these rows. A rate that
 * it falls back to stands above it.
 */
export const UNITS = [
  {
    number: 1,
    field: 'input',
    side: 'input',
    partOf: null,
    rate: { stored: 'input', api: 'input', catalog: 'input_mtok', per: 1_000_000, fallback: null },
    shown: { call: 'input_uncached_tokens', sums: 'input_uncached_tokens' },
  },
  {
    number: 2,
    field: 'output',
    side: 'output',
    partOf: null,
    rate: { stored: 'output', api: 'output', catalog: 'output_mtok', per: 1_000_000, fallback: null },
    shown: { call: null, sums: null },
  },
  {
    number: 3,
    field: 'cacheRead',
    side: 'input',
    partOf: null,
    rate: { stored: 'cache_read', api: 'cache_read', catalog: 'cache_read_mtok', per: 1_000_000, fallback: 'input' },
    shown: { call: 'cache_read_tokens', sums: 'input_cached_tokens' },
  },
  {
    number: 4,
    field: 'cacheWrite5m',
    side: 'input',
    partOf: null,
    rate: { stored: 'cache_write_5m', api: 'cache_write', catalog: 'cache_write_mtok', per: 1_000_000, fallback: 'input' },
    shown: { call: 'cache_write_tokens', sums: 'input_cache_write_tokens' },
  },
  {
    number: 5,
    field: 'cacheWrite1h',
    side: 'input',
    partOf: null,
    rate: { stored: 'cache_write_1h', api: 'cache_write_1h', catalog: 'cache_write_1h_mtok', per: 1_000_000, fallback: 'cacheWrite5m' },
    shown: { call: 'cache_write_tokens', sums: 'input_cache_write_tokens' },
  },
  {
    number: 6,
    field: 'reasoning',
    side: 'output',
    partOf: 'output',
    rate: null,
    shown: { call: 'reasoning_tokens', sums: null },
  },
  {
    number: 7,
    field: 'webSearch',
    side: 'fee',
    partOf: null,
    rate: { stored: 'search', api: 'web_search', catalog: 'web_searches_kcount', per: 1_000, fallback: null },
    shown: { call: 'web_searches', sums: 'web_searches' },
  },
] as const satisfies readonly UnitRow[];
