import { Injectable } from '@nestjs/common';
import { hasUnseenInput, meteredTokens } from '../dialects/index.js';
import { type Nano, usdNumber } from '../kernel/money.js';
import { inputTotal, NO_USAGE, outputTotal, type Usage } from '../kernel/usage.js';
import type { Checkpoint } from '../ledger/index.js';
import { Metrics } from '../platform/telemetry/index.js';
import { costOf, ratesFor } from '../prices/index.js';
import type { Hold } from '../quotas/index.js';
import type { TargetPlan } from '../routing/index.js';
import type { Outcome, SoFar } from './attempts/outcome.js';
import type { Call } from './call.js';
import { HiddenShares } from './hidden-shares.js';

/** What an estimate goes by. `meter`: what was seen. `share`: that, and what the model usually hides. `hold`: the most the call could cost. */
type Basis = 'meter' | 'share' | 'hold';

interface Estimate {
  usage: Usage;
  /** Null: of unknown price. */
  amount: Nano | null;
}

/** What is known of a call whose provider's final count did not come. */
type Known = SoFar & Pick<Outcome, 'untold'>;

/** What is booked for calls whose provider's final count did not come. */
@Injectable()
export class Estimates {
  private readonly shares = new HiddenShares();

  constructor(private readonly metrics: Metrics) {}

  /** Notes what a provider counted beside what was seen. */
  learn(plan: TargetPlan, { facts, effort }: Outcome): void {
    // A call that has no output, as one that counts tokens, says nothing of a model's hidden share.
    const output = facts.usage && outputTotal(facts.usage);
    if (output) this.shares.learn(modelOf(plan, effort), meteredTokens(facts), output);
  }

  /** @param seen tokens of output by our own meter. */
  of(call: Call, plan: TargetPlan, hold: Hold, known: Known, seen = meteredTokens(known.facts)): Estimate & { basis: Basis } {
    const share = this.shares.of(modelOf(plan, known.effort));
    const basis = basisOf(call, plan, hold, known, seen, share);
    return { basis, ...estimate(call, plan, hold, known, seen, basis === 'share' ? share! : 0, basis === 'hold') };
  }

  /** What is to be booked of a call in flight should this process die once so much of its output was seen; null: all that is held. */
  checkpoint(call: Call, plan: TargetPlan, hold: Hold, soFar: SoFar, seen: number): Checkpoint | null {
    const { basis, usage, amount } = this.of(call, plan, hold, { ...soFar, untold: 'gateway_lost' }, seen);
    return basis === 'hold' ? null : { inputTokens: inputTotal(usage), outputTokens: outputTotal(usage), amount };
  }

  /** Counts one that is booked. */
  note({ untold }: Outcome, basis: Basis, amount: Nano | null, { amount: held }: Hold): void {
    this.metrics.countEstimate(untold, basis, amount === null ? null : usdNumber(amount), held === null ? null : usdNumber(held));
  }
}

/** Of one record: no tenant says what another's model hides. */
const modelOf = ({ target }: TargetPlan, effort: string | null): string => `${target.providerId}/${target.model}/${effort ?? ''}`;

function basisOf(call: Call, plan: TargetPlan, hold: Hold, { facts, untold, reader }: Known, seen: number, share: number | null): Basis {
  const { target } = plan;
  // What comes after the last word of a process is not left to a guess where the platform pays for it.
  if (untold === 'gateway_lost' && target.lent) return 'hold';
  // What its provider found in a search is counted by the provider alone.
  const isCapped = target.lent || hold.remaining !== null;
  if (hold.allowed && isCapped && !(untold === 'provider_failed' && seen === 0)) return 'hold';
  // What is neither in the request nor counted by the provider.
  if (inputTotal(facts.usage ?? NO_USAGE) === 0 && hasUnseenInput(call.prompt.body)) return 'hold';
  if (hold.maxOutputTokens === 0) return 'meter';
  if (untold === 'provider_failed' && seen === 0) return 'meter';
  if (untold === 'not_counted') return share === null ? 'meter' : 'share';
  // Of a call that is not streamed all was made before any of it came.
  if (!reader) return 'hold';
  if (target.facts.reasoning === false) return 'meter';
  return target.lent || share === null || seen === 0 ? 'hold' : 'share';
}

/** The larger of the provider's last count and our own, never above the hold unless the provider reported more. */
function estimate(
  call: Call,
  { target: { price } }: TargetPlan,
  hold: Hold,
  { facts, reader }: Known,
  seen: number,
  share: number,
  whole: boolean,
): Estimate {
  const limit = hold.maxOutputTokens * call.prompt.choices;
  const counted = facts.usage ?? NO_USAGE;
  const metered = Math.min(Math.ceil(seen * (1 + share)), limit);
  const made = outputTotal(counted);
  const output = Math.max(made, reader?.overLimit ? seen : 0, whole ? limit : metered);
  const input = whole ? hold.inputTokens : Math.min(hold.context.input_tokens, hold.inputTokens);
  const usage = { ...counted, input: counted.input + Math.max(0, input - inputTotal(counted)), output: counted.output + output - made };
  if (!price) return { usage, amount: hold.amount };
  const cost = (used: Usage): Nano => costOf(used, ratesFor(price, inputTotal(used)));
  // Held for no amount: what it asks for has no bound.
  const held = hold.amount ?? cost(usage);
  const most = larger(held, cost(counted));
  return { usage, amount: whole ? most : smaller(cost(usage), most) };
}

const larger = (a: Nano, b: Nano): Nano => (a > b ? a : b);
const smaller = (a: Nano, b: Nano): Nano => (a < b ? a : b);
