import type { Nano } from '../kernel/money.js';
import type { Usage } from '../kernel/usage.js';
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
  searches: number;
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
  searches: 0,
  fees: 0n,
  percent: 100n,
};

/**
 * For a million searches where the catalog has no fee: the dearest that is known. Web grounding for enterprise on Vertex AI is $45 for a thousand
 * prompts with Gemini 2 (cloud.google.com/vertex-ai/generative-ai/pricing, as quoted in public notes, read 2026-11-28). Others: Google's grounding
 * $35 with Gemini 2.5 and $14 a query with Gemini 3 (ai.google.dev/gemini-api/docs/pricing, as quoted by github.com/iyulab/TokenMeter v0.13.0),
 * OpenAI's search preview $25, Claude $10.
 */
const DEAREST_SEARCH = 45_000_000_000_000n;
const PER_RATE = 1_000_000n;
const PERCENT = 100n;

/** What is charged beyond the tokens' cost at the rates of text. */
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
  const text = costOf(usage, rates);
  const tokens = divideUp((text * PER_RATE + media) * beyond.percent, PER_RATE * PERCENT);
  const searches = divideUp(BigInt(beyond.searches) * (special?.search ?? DEAREST_SEARCH), PER_RATE);
  return tokens - text + searches + beyond.fees;
}

const dearest = (base: bigint, ...others: (bigint | null | undefined)[]): bigint =>
  others.reduce<bigint>((most, rate) => (rate != null && rate > most ? rate : most), base);

const divideUp = (value: bigint, by: bigint): bigint => (value > 0n ? (value + by - 1n) / by : value / by);
