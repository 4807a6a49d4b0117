import type { Nano } from '../kernel/money.js';
import { FEE_UNITS, type FeeUnit, type Usage } from '../kernel/usage.js';
import { costOf, type Rates } from './price.js';

/** What an attempt used beyond tokens of text. Tokens told here are among those of its usage. */
export interface BeyondText {
  audioInput: number;
  imageInput: number;
  audioOutput: number;
  imageOutput: number;
  /** Tokens of which it is not told what they are: they count as the dearest of their side. */
  untoldInput: number;
  untoldOutput: number;
  /** What else the provider charges for, such as a container. */
  fees: Nano;
  /** What all tokens are multiplied by, in hundredths: of a service tier, a speed, a region. */
  percent: bigint;
}

export const NOTHING_BEYOND: Readonly<BeyondText> = {
  audioInput: 0,
  imageInput: 0,
  audioOutput: 0,
  imageOutput: 0,
  untoldInput: 0,
  untoldOutput: 0,
  fees: 0n,
  percent: 100n,
};

const NO_FEES = Object.fromEntries(FEE_UNITS.map(({ field }) => [field, 0])) as Record<FeeUnit['field'], number>;
const PER_RATE = 1_000_000n;
const PERCENT = 100n;

/** What is charged beyond the units of the usage at their rates. */
export function costBeyond(usage: Usage, rates: Rates, beyond: BeyondText): Nano {
  const { input, output, special } = rates;
  const dearestIn = dearest(input, special?.audioInput, special?.imageInput);
  const dearestOut = dearest(output, special?.audioOutput, special?.imageOutput);
  const above = (tokens: number, rate: bigint, text: bigint) => BigInt(tokens) * (rate - text);
  const media =
    above(beyond.audioInput, special?.audioInput ?? dearestIn, input) +
    above(beyond.imageInput, special?.imageInput ?? dearestIn, input) +
    above(beyond.audioOutput, special?.audioOutput ?? dearestOut, output) +
    above(beyond.imageOutput, special?.imageOutput ?? dearestOut, output) +
    above(beyond.untoldInput, dearestIn, input) +
    above(beyond.untoldOutput, dearestOut, output);
  const text = costOf({ ...usage, ...NO_FEES }, rates);
  const tokens = divideUp((text * PER_RATE + media) * beyond.percent, PER_RATE * PERCENT);
  return tokens - text + beyond.fees;
}

const dearest = (base: bigint, ...others: (bigint | null | undefined)[]): bigint =>
  others.reduce<bigint>((most, rate) => (rate != null && rate > most ? rate : most), base);

const divideUp = (value: bigint, by: bigint): bigint => (value > 0n ? (value + by - 1n) / by : value / by);
