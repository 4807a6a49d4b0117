const MAX_TOKENS = 1e12;
const DIGITS = /^\d{1,13}$/;

/** A count of tokens as it should be, also where it is written as a text; null when absent; NaN when it is nonsense. */
export function tokenCount(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  const count = typeof value === 'string' && DIGITS.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isInteger(count) && count >= 0 && count <= MAX_TOKENS ? count : Number.NaN;
}

/** The part of a total that is not told, where all others are; null where it cannot be known. */
export function missingPart(total: number | null, ...others: (number | null)[]): number | null {
  if (total === null || others.some((other) => other === null)) return null;
  const rest = others.reduce<number>((left, other) => left - other!, total);
  return rest >= 0 ? rest : null;
}
