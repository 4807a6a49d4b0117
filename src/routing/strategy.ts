import { hash } from 'node:crypto';
import { worstCaseCost } from '../prices/index.js';
import type { Strategy } from '../routes/index.js';
import type { Latencies } from './latencies.js';
import type { PlanRequest, TargetPlan } from './plan.js';

export interface Candidate {
  plan: TargetPlan;
  weight: number;
}

/** The targets of a route in the order in which they are tried. */
export function inOrder(
  strategy: Strategy,
  candidates: readonly Candidate[],
  request: Pick<PlanRequest, 'session' | 'inputTokensBound'>,
  latencies: Latencies,
): TargetPlan[] {
  switch (strategy) {
    case 'ordered':
      return candidates.map(({ plan }) => plan);
    case 'weighted':
      return least(candidates, ({ plan, weight }) => -Math.log(drawn(request.session, plan)) / weight);
    case 'least_latency':
      return latencies.inOrder(candidates.map(({ plan }) => plan));
    case 'least_cost':
      return least(candidates, ({ plan }) => costOf(plan, request.inputTokensBound));
  }
}

/** One that is equal to another stays behind it. */
const least = (candidates: readonly Candidate[], of: (candidate: Candidate) => number): TargetPlan[] =>
  candidates
    .map((candidate) => ({ plan: candidate.plan, by: of(candidate) }))
    .sort((a, b) => (a.by === b.by ? 0 : a.by - b.by))
    .map(({ plan }) => plan);

/**
 * A number above 0 and up to 1: by chance, or for a session always the same one. Ordering by `-ln(x) / weight` draws one after another by weight,
 * without putting back.
 */
const drawn = (session: string | null, { reference }: TargetPlan): number =>
  session === null ? 1 - Math.random() : (Number.parseInt(hash('sha256', `${session} ${reference}`).slice(0, 12), 16) + 1) / 2 ** 48;

/** The most the call may cost there. Unknown is dearer than all that is known. */
const costOf = ({ target: { price }, maxOutputTokens }: TargetPlan, inputTokensBound: number): number =>
  price === null ? Number.POSITIVE_INFINITY : Number(worstCaseCost(price, inputTokensBound, maxOutputTokens));
