interface UnitRow {
  /** As ledger entries keep it. Never reused. */
  number: number;
  /** In code: of `Usage`, and of `Rates` where it has one. */
  field: string;
  /** `fee`: it is no token, and adds nothing to the tokens of a call. */
  side: 'input' | 'output' | 'fee';
  /** The unit that counts it already: it is informative, and null where the provider does not report it. Null: it is counted apart. */
  partOf: string | null;
  /** What its tokens are made of, and the unit that tokens of text are counted as in its place. Null: they are text, or it is no token. */
  medium: { name: 'audio' | 'image'; plain: string } | null;
  /**
   * What prices it: as prices store the rate, always for a million; as the APIs and the catalog name it, and for how many they tell it; the unit
   * whose rate it has where it has none. Null: a price has this rate; it may be without that of a medium or a fee, which is not known then.
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
    medium: null,
    rate: { stored: 'input', api: 'input', catalog: 'input_mtok', per: 1_000_000, fallback: null },
    shown: { call: 'input_uncached_tokens', sums: 'input_uncached_tokens' },
  },
  {
    number: 2,
    field: 'output',
    side: 'output',
    partOf: null,
    medium: null,
    rate: { stored: 'output', api: 'output', catalog: 'output_mtok', per: 1_000_000, fallback: null },
    shown: { call: null, sums: null },
  },
  {
    number: 3,
    field: 'cacheRead',
    side: 'input',
    partOf: null,
    medium: null,
    rate: { stored: 'cache_read', api: 'cache_read', catalog: 'cache_read_mtok', per: 1_000_000, fallback: 'input' },
    shown: { call: 'cache_read_tokens', sums: 'input_cached_tokens' },
  },
  {
    number: 4,
    field: 'cacheWrite5m',
    side: 'input',
    partOf: null,
    medium: null,
    rate: { stored: 'cache_write_5m', api: 'cache_write', catalog: 'cache_write_mtok', per: 1_000_000, fallback: 'input' },
    shown: { call: 'cache_write_tokens', sums: 'input_cache_write_tokens' },
  },
  {
    number: 5,
    field: 'cacheWrite1h',
    side: 'input',
    partOf: null,
    medium: null,
    rate: { stored: 'cache_write_1h', api: 'cache_write_1h', catalog: 'cache_write_1h_mtok', per: 1_000_000, fallback: 'cacheWrite5m' },
    shown: { call: 'cache_write_tokens', sums: 'input_cache_write_tokens' },
  },
  {
    number: 6,
    field: 'reasoning',
    side: 'output',
    partOf: 'output',
    medium: null,
    rate: null,
    shown: { call: 'reasoning_tokens', sums: null },
  },
  {
    number: 7,
    field: 'webSearch',
    side: 'fee',
    partOf: null,
    medium: null,
    rate: { stored: 'search', api: 'web_search', catalog: 'web_searches_kcount', per: 1_000, fallback: null },
    shown: { call: 'web_searches', sums: 'web_searches' },
  },
  {
    number: 8,
    field: 'audioInput',
    side: 'input',
    partOf: null,
    medium: { name: 'audio', plain: 'input' },
    rate: { stored: 'audio_input', api: 'audio_input', catalog: 'input_audio_mtok', per: 1_000_000, fallback: null },
    shown: { call: 'audio_input_tokens', sums: 'input_audio_tokens' },
  },
  {
    number: 9,
    field: 'audioCacheRead',
    side: 'input',
    partOf: null,
    medium: { name: 'audio', plain: 'cacheRead' },
    rate: { stored: 'audio_cache_read', api: 'audio_cache_read', catalog: 'cache_audio_read_mtok', per: 1_000_000, fallback: 'audioInput' },
    shown: { call: 'audio_cache_read_tokens', sums: 'input_cached_audio_tokens' },
  },
  {
    number: 10,
    field: 'imageInput',
    side: 'input',
    partOf: null,
    medium: { name: 'image', plain: 'input' },
    rate: { stored: 'image_input', api: 'image_input', catalog: 'input_image_mtok', per: 1_000_000, fallback: null },
    shown: { call: 'image_input_tokens', sums: 'input_image_tokens' },
  },
  {
    number: 11,
    field: 'audioOutput',
    side: 'output',
    partOf: null,
    medium: { name: 'audio', plain: 'output' },
    rate: { stored: 'audio_output', api: 'audio_output', catalog: 'output_audio_mtok', per: 1_000_000, fallback: null },
    shown: { call: 'audio_output_tokens', sums: 'output_audio_tokens' },
  },
  {
    number: 12,
    field: 'imageOutput',
    side: 'output',
    partOf: null,
    medium: { name: 'image', plain: 'output' },
    rate: { stored: 'image_output', api: 'image_output', catalog: 'output_image_mtok', per: 1_000_000, fallback: null },
    shown: { call: 'image_output_tokens', sums: 'output_image_tokens' },
  },
  {
    number: 13,
    field: 'fileSearch',
    side: 'fee',
    partOf: null,
    medium: null,
    rate: { stored: 'file_search', api: 'file_search', catalog: 'storage_searches_kcount', per: 1_000, fallback: null },
    shown: { call: 'file_searches', sums: 'file_searches' },
  },
] as const satisfies readonly UnitRow[];
