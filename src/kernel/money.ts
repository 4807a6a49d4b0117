/** Money is a bigint of nano-USD (1e-9 USD). No float touches it; texts are decimal strings. */
export type Nano = bigint;

const NANO_PER_USD = 1_000_000_000n;
const USD = /^(\d{1,10})(?:\.(\d{1,9}))?$/;

/** Reads a decimal string of USD, e.g. `"1.00"`, exactly. Null when it is not a non-negative amount with at most nine decimals. */
export function parseUsd(text: string): Nano | null {
  const match = USD.exec(text);
  if (!match) return null;
  return BigInt(match[1]!) * NANO_PER_USD + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** Renders nano-USD as a decimal string with two to nine decimals: `1.00`, `0.000000001`, `-0.25`. */
export function formatUsd(nano: Nano): string {
  const sign = nano < 0n ? '-' : '';
  const absolute = nano < 0n ? -nano : nano;
  const decimals = (absolute % NANO_PER_USD)
    .toString()
    .padStart(9, '0')
    .replace(/0{1,7}$/, '');
  return `${sign}${absolute / NANO_PER_USD}.${decimals}`;
}

/** Nano-USD as a JSON number, for replies in OpenAI's shape only. */
export const usdNumber = (nano: Nano): number => Number(formatUsd(nano));
