/** Longer names are hardly misspelled ones, and take long to compare. */
const MAX_LENGTH = 128;
/** Nobody mistypes more than this of one name. */
const MAX_DISTANCE = 12;
/** Cells of distance tables for one search, about 5 ms of work. The candidates after that are not looked at. */
const MAX_CELLS = 1_000_000;

/**
 * The candidate that is closest in spelling, if it is close enough to be what was meant; else null. Takes milliseconds, however many there are.
 * @param most typing errors.
 */
export function nearest(name: string, candidates: Iterable<string>, most = MAX_DISTANCE): string | null {
  if (name.length > MAX_LENGTH) return null;
  const wanted = name.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.min(most, Math.max(2, Math.floor(name.length / 3))) + 1;
  let cells = 0;
  for (const candidate of candidates) {
    if (++cells > MAX_CELLS) break;
    if (candidate.length > MAX_LENGTH || Math.abs(candidate.length - name.length) >= bestDistance) continue;
    cells += candidate.length * name.length;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  let current = [...previous];
  for (let i = 1; i <= a.length; i++) {
    current[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current[j] = Math.min(substitution, previous[j]! + 1, current[j - 1]! + 1);
    }
    [previous, current] = [current, previous];
  }
  return previous[b.length]!;
}
