import type { Nano } from '../kernel/money.js';
import { affordableOutput, outputBoughtBy, outputCost, type Price, worstCaseCost } from '../prices/index.js';
import { type AdmissionRequest, MAX_COST, MIN_OUTPUT_TOKENS, SHARES } from './admission.js';
import { headroomOf } from './budget.js';
import type { Counting } from './budgets.repository.js';

/** What is known of a call before it is made. */
export type Prospect = Pick<
  AdmissionRequest,
  'price' | 'lent' | 'unpricedCost' | 'inputTokensBound' | 'outputTokensBound' | 'leastOutputTokens' | 'choices' | 'maxCost' | 'shrinkToFit'
>;

/** What admission would make of a call now. */
export interface WorstCase {
  /** Per answer. */
  maxOutputTokens: number;
  /** What would be held; null: the price is unknown, and no amount is needed. */
  amount: Nano | null;
  /** False: budgets or cost limits would refuse it. */
  fits: boolean;
}

/** As `Admission.admit` does, by the headroom that budgets have now, and without a tokenizer. Nothing is held. */
export function worstCaseOf(call: Prospect, budgets: readonly Pick<Counting, 'budget' | 'period'>[]): WorstCase {
  const { price, choices, inputTokensBound: input, outputTokensBound: output, leastOutputTokens: least } = call;
  const hard = budgets.filter(({ budget }) => budget.mode !== 'observe').map(({ period }) => headroomOf(period));
  const headroom = hard.reduce<Nano | null>((tightest, left) => (tightest === null || left < tightest ? left : tightest), null);
  if (price === null) {
    const isBounded = headroom !== null || call.maxCost !== null || call.lent;
    const amount = isBounded ? call.unpricedCost : null;
    return { maxOutputTokens: output, amount, fits: !isBounded || (amount !== null && isWithin(amount, headroom, call.maxCost)) };
  }
  const costOfOutput = (tokens: number) => worstCaseCost(price, input, tokens * choices);
  const most = call.maxCost ?? MAX_COST;
  let tokens = output;
  if (least !== null) tokens = lowered(price, call, least, headroom, most);
  if (call.shrinkToFit && !isWithin(costOfOutput(tokens), headroom, most)) {
    const left = headroom === null || most < headroom ? most : headroom;
    const affordable = Math.floor(affordableOutput(price, input, left) / choices);
    if (affordable >= Math.min(MIN_OUTPUT_TOKENS, tokens)) tokens = Math.min(tokens, affordable);
  }
  const amount = costOfOutput(tokens);
  return { maxOutputTokens: tokens, amount, fits: isWithin(amount, headroom, most) };
}

/** A default for the output, lowered to a share of the tightest budget and to the cost limit, to its least where that is more. */
function lowered(price: Price, call: Prospect, least: number, headroom: Nano | null, most: Nano): number {
  const { inputTokensBound: input, outputTokensBound: output, choices } = call;
  let tokens = output;
  const lowerTo = (affordable: number) => {
    tokens = Math.max(least, Math.min(tokens, Math.floor(affordable / choices)));
  };
  if (worstCaseCost(price, input, tokens * choices) > most) lowerTo(affordableOutput(price, input, most));
  if (headroom !== null && SHARES * outputCost(price, input, tokens * choices) > headroom)
    lowerTo(outputBoughtBy(price, input, headroom / SHARES));
  return tokens;
}

const isWithin = (amount: Nano, headroom: Nano | null, most: Nano | null): boolean =>
  (headroom === null || amount <= headroom) && (most === null || amount <= most);
