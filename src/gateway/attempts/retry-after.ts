const MAX_MS = 3_600_000;

/**
 * When a provider wants to be asked again, in ms from now; null: it does not say, or not in a form that is known.
 * @param told by its body, in seconds.
 */
export function retryAfterMs(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  told: number | undefined,
  now = Date.now(),
): number | null {
  if (told !== undefined) return bounded(told * 1000);
  const { 'retry-after-ms': ms, 'retry-after': seconds } = headers;
  if (typeof ms === 'string' && NUMBER.test(ms)) return bounded(Number(ms));
  if (typeof seconds !== 'string') return null;
  return bounded(NUMBER.test(seconds) ? Number(seconds) * 1000 : Date.parse(seconds) - now);
}

const NUMBER = /^\d{1,15}(?:\.\d+)?$/;

const bounded = (ms: number): number | null => (Number.isNaN(ms) ? null : Math.min(MAX_MS, Math.max(0, ms)));
