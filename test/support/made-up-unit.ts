import { UNITS } from '../../src/kernel/units.js';

const row = {
  number: 900,
  field: 'cacheWrite1w',
  side: 'input',
  partOf: null,
  medium: null,
  rate: { stored: 'cache_write_1w', api: 'cache_write_1w', catalog: 'cache_write_1w_mtok', per: 1_000_000, fallback: 'cacheWrite1h' },
  shown: { call: 'cache_write_1w_tokens', sums: 'input_cache_write_1w_tokens' },
};
// As somebody would add it.
(UNITS as unknown as object[]).push(row);

/** A unit that nobody counts. What follows the table must be imported after this. */
export const MADE_UP = row;
