import type { Nano } from '../kernel/money.js';
import type { LimitSource } from '../kernel/plan-sources.js';
import { RATED_UNITS, type Usage } from '../kernel/usage.js';
import { loadRates, perUnits, rateOf, type StoredRates } from '../prices/index.js';
import type { CallRecord } from './call.js';
import type { StoredPlan } from './stored-plan.js';

/** A line of cost, as the ledger has it. */
export interface Entry {
  /** Which hold of its call it is of, from 1. */
  number: number;
  kind: string;
  amount: Nano | null;
  priceId: string | null;
  rates: (StoredRates & { beyond_text?: number }) | null;
  estimated: boolean;
  provider: string;
  model: string;
  usage: Usage;
  periodIds: readonly bigint[];
  bookedAt: Date;
}

/** Money that was held for a call. Kept for a week after the call. */
export interface HoldRow {
  number: number;
  provider: string;
  model: string;
  /** Null: the price was unknown. */
  amount: Nano | null;
  /** The most tokens it covers, and how many of them are output. */
  tokens: number;
  outputTokens: number;
  priceId: string | null;
  periodIds: readonly bigint[];
  counterIds: readonly bigint[];
}

export interface PeriodRow {
  id: bigint;
  budgetId: string;
  scopeKind: string;
  scopeValue: string;
  periodKind: string;
  mode: string;
  setBy: string;
  isDeleted: boolean;
  startsAt: Date;
  endsAt: Date | null;
  limit: Nano;
  granted: Nano;
  spent: Nano;
  held: Nano;
}

export interface CounterRow {
  id: bigint;
  limitId: string;
  scopeKind: string;
  scopeValue: string;
  setBy: string;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  concurrency: number | null;
  requests: number;
  tokens: number;
  open: number;
}

export interface PriceSource {
  id: string;
  source: string;
  effectiveAt: Date;
}

/** All that is stored of a call. */
export interface CallFacts {
  call: CallRecord;
  plan: StoredPlan | null;
  /** What the last of its holds held; null: its price was unknown. */
  held: Nano | null;
  entries: readonly Entry[];
  holds: readonly HoldRow[];
  periods: readonly PeriodRow[];
  counters: readonly CounterRow[];
  prices: readonly PriceSource[];
}

/** Quantity times rate, exact: in 10⁻¹⁵ USD. */
interface Line {
  class: string;
  quantity: number | null;
  rate: Nano | null;
  amount: bigint;
}

/** A hold, and what was booked for it. */
export interface HoldExplained {
  number: number;
  model: string;
  held: Nano | null;
  isHeldKnown: boolean;
  inputBound: number | null;
  outputBound: number | null;
  limitFrom: LimitSource | null;
  maxOutputTokens: number | null;
  loweredFrom: number | null;
  thinkingLevel: string | null;
  warnings: readonly string[];
  price: PriceSource | null;
  lines: readonly Line[];
  entries: readonly Entry[];
  /** Null: the price was unknown. */
  cost: Nano | null;
  estimated: string | null;
}

type State = 'answered' | 'failed' | 'refused' | 'not_tried' | 'skipped';

export interface TargetExplained {
  model: string;
  state: State;
  reason: string | null;
  attempts: readonly number[];
}

/** An amount in nano-USD times what a rate is for. */
const SCALE = 1_000_000n;

/** What became of each target, in order; those that were skipped come last. */
export function targetsOf({ call, plan }: CallFacts): TargetExplained[] {
  const all = call.attempts.map((_, at) => at + 1);
  const endedAs = (attempts: readonly number[]): Pick<TargetExplained, 'state' | 'reason'> => {
    const isLast = attempts.at(-1) === call.attempts.length;
    const last = call.attempts[(attempts.at(-1) ?? 0) - 1];
    const reason = last?.reason ?? (isLast ? call.errorCode : null);
    return { state: reason === null ? 'answered' : 'failed', reason };
  };
  if (!plan) return [{ model: call.requestedModel, ...endedAs(all), attempts: all }];
  // A hold whose gateway was lost is not in the plan.
  const lost = all.slice(plan.holds.at(-1)?.attempts ?? 0);
  const { provider, model: lostModel } = call.attempts[lost[0]! - 1] ?? {};
  const targets = plan.targets.map(({ model, refused }, at): TargetExplained => {
    const attempts = plan.holds.flatMap((hold, number) =>
      hold.target === at ? all.slice(plan.holds[number - 1]?.attempts ?? 0, hold.attempts) : [],
    );
    if (refused !== undefined) return { model, state: 'refused', reason: refused, attempts };
    if (plan.holds.some(({ target }) => target === at)) return { model, ...endedAs(attempts), attempts };
    if (model === `${provider}/${lostModel}`) return { model, ...endedAs(lost), attempts: lost };
    return { model, state: 'not_tried', reason: null, attempts };
  });
  return [...targets, ...plan.skipped.map(({ model, reason }) => ({ model, state: 'skipped' as const, reason, attempts: [] }))];
}

/** The holds of a call, each with what was booked for it. */
export function holdsOf(facts: CallFacts): HoldExplained[] {
  const { call, plan, entries, holds, prices } = facts;
  const count = Math.max(1, plan?.holds.length ?? 0, ...entries.map(({ number }) => number), ...holds.map(({ number }) => number));
  return Array.from({ length: count }, (_, at) => {
    const number = at + 1;
    const noted = plan?.holds[at];
    const hold = holds.find((one) => one.number === number);
    const own = entries.filter((entry) => entry.number === number);
    const booked = own.filter(({ kind }) => kind !== 'adjustment');
    const used = booked.findLast(({ rates }) => rates !== null);
    const named = hold ?? own[0];
    const priceId = used?.priceId ?? hold?.priceId ?? null;
    const isOnly = count === 1;
    return {
      number,
      model: named ? `${named.provider}/${named.model}` : ((noted && plan?.targets[noted.target]?.model) ?? call.requestedModel),
      held: hold ? hold.amount : isOnly ? facts.held : null,
      isHeldKnown: hold !== undefined || isOnly,
      inputBound: hold ? hold.tokens - hold.outputTokens : null,
      outputBound: hold ? hold.outputTokens : null,
      limitFrom: noted?.limit_from ?? null,
      maxOutputTokens: noted?.max_output_tokens ?? null,
      loweredFrom: noted?.lowered_from ?? null,
      thinkingLevel: noted?.thinking_level ?? null,
      warnings: noted?.warnings ?? [],
      price: prices.find(({ id }) => id === priceId) ?? null,
      lines: linesOf(booked),
      entries: own,
      cost: own.length === 0 ? 0n : own.some(({ amount }) => amount === null) ? null : sum(own),
      estimated: estimateOf(facts, own, noted?.estimated),
    };
  });
}

function estimateOf({ call }: CallFacts, entries: readonly Entry[], noted: string | undefined): string | null {
  if (noted !== undefined) return noted;
  if (!entries.some(({ estimated }) => estimated)) return null;
  return call.errorCode === 'gateway_lost' || call.attempts.length === 0 ? 'gateway_lost' : 'not_recorded';
}

const sum = (entries: readonly Entry[]): Nano => entries.reduce((total, { amount }) => total + (amount ?? 0n), 0n);

/** Lines that come to exactly what was booked before corrections. None: nothing was, or its price was unknown. */
function linesOf(booked: readonly Entry[]): Line[] {
  const rated = booked.findLast(({ rates }) => rates !== null);
  if (!rated?.rates || booked.some(({ amount }) => amount === null)) return [];
  const rates = loadRates(rated.rates);
  const lines: Line[] = [];
  for (const { field, rate } of RATED_UNITS) {
    const quantity = booked.reduce((total, { usage }) => total + usage[field], 0);
    const told = rateOf(rates, field);
    if (quantity !== 0) lines.push({ class: rate.api, quantity, rate: perUnits(told, rate.per), amount: BigInt(quantity) * told });
  }
  const beyond = BigInt(rated.rates.beyond_text ?? 0);
  if (beyond !== 0n) lines.push({ class: 'beyond_text', quantity: null, rate: null, amount: beyond * SCALE });
  const missing = sum(booked) * SCALE - lines.reduce((total, { amount }) => total + amount, 0n);
  const isRounding = missing > 0n && missing < SCALE;
  if (missing !== 0n) lines.push({ class: isRounding ? 'rounding' : 'estimate', quantity: null, rate: null, amount: missing });
  return lines;
}

/** What of a call's money went through a period: held and booked, each null where it is not known any more. */
export function shareOf({ entries, holds, held }: CallFacts, periodId: bigint): { held: Nano | null; booked: Nano } {
  const own = entries.filter(({ periodIds }) => periodIds.includes(periodId));
  const holding = holds.filter(({ periodIds }) => periodIds.includes(periodId));
  const numbers = new Set(own.map(({ number }) => number));
  // A call with one hold keeps its amount.
  const isKnown = holding.length >= numbers.size && holding.length > 0;
  return {
    held: isKnown
      ? holding.reduce((total, { amount }) => total + (amount ?? 0n), 0n)
      : numbers.size === 1 && holds.length === 0
        ? held
        : null,
    booked: sum(own),
  };
}
