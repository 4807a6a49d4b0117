import type { Nano } from '../kernel/money.js';
import { FEE_UNITS, type FeeUnit, type Usage } from '../kernel/usage.js';
import { costOf, type Rates } from './price.js';

/** What an attempt cost beyond the units of its usage. */
export interface BeyondText {
  /** What else the provider charges for, such as a container. */
  fees: Nano;
  /** What all tokens are multiplied by, in hundredths: of a service tier, a speed, a region. */
  percent: bigint;
}

const NO_FEES = Object.fromEntries(FEE_UNITS.map(({ field }) => [field, 0])) as Record<FeeUnit['field'], number>;
const PERCENT = 100n;

/** What is charged beyond the units of the usage at their rates. */
export function costBeyond(usage: Usage, rates: Rates, { fees, percent }: BeyondText): Nano {
  const tokens = costOf({ ...usage, ...NO_FEES }, rates);
  return divideUp(tokens * percent, PERCENT) - tokens + fees;
}

const divideUp = (value: bigint, by: bigint): bigint => (value > 0n ? (value + by - 1n) / by : value / by);
