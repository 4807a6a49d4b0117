import { Injectable } from '@nestjs/common';
import type { Target, TargetPlan } from './plan.js';

/** How much the latest measurement counts against those before it. */
const SHARE = 0.3;
/** A mean that is older says nothing of now. */
const MAX_AGE_MS = 600_000;
/** How often a target of unknown latency is tried first. */
const CURIOSITY = 0.1;
const MAX_TARGETS = 10_000;

interface Mean {
  ms: number;
  at: number;
}

/** How long targets took to their first byte, as this process saw it: an exponentially weighted mean of each. */
@Injectable()
export class Latencies {
  private readonly means = new Map<string, Mean>();

  note(target: Target, ms: number): void {
    const key = keyOf(target);
    const before = this.meanOf(target);
    this.means.delete(key);
    if (this.means.size >= MAX_TARGETS) this.means.clear();
    this.means.set(key, { ms: before === null ? ms : before + SHARE * (ms - before), at: performance.now() });
  }

  /** The quickest first. Those of which nothing is known come last, and now and then first, so that something becomes known. */
  inOrder(plans: readonly TargetPlan[], chance = Math.random()): TargetPlan[] {
    const measured = plans.map((plan) => ({ plan, ms: this.meanOf(plan.target) }));
    const known = measured.filter(({ ms }) => ms !== null).sort((a, b) => a.ms! - b.ms!);
    const unknown = measured.filter(({ ms }) => ms === null);
    return (chance < CURIOSITY ? [...unknown, ...known] : [...known, ...unknown]).map(({ plan }) => plan);
  }

  private meanOf(target: Target): number | null {
    const mean = this.means.get(keyOf(target));
    return mean && performance.now() - mean.at <= MAX_AGE_MS ? mean.ms : null;
  }
}

const keyOf = ({ providerId, model }: Target): string => `${providerId}/${model}`;
