const MAX_TOKENS = 1e12;

/** A count of tokens as it should be; null when absent; NaN when it is nonsense. */
export function tokenCount(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS ? value : Number.NaN;
}
