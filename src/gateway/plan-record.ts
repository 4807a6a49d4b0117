import type { StoredHold, StoredPlan } from '../calls/index.js';
import type { WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import type { Settlement } from '../ledger/index.js';
import type { Hold } from '../quotas/index.js';
import type { Plan } from '../routing/index.js';
import type { Outcome } from './attempts/outcome.js';
import type { Sent } from './attempts/tries.js';
import type { Call } from './call.js';

const MAX_REASON = 500;
const MAX_WARNINGS = 20;

/** What a call notes of its route, its targets and its limits, to be explained by later. */
export class PlanRecord {
  private readonly refused: string[] = [];
  private readonly holds: StoredHold[] = [];

  constructor(
    private readonly call: Call,
    private readonly plan: Plan,
  ) {}

  /** A target was refused before anything was sent. */
  refuse(target: number, error: WeirError): void {
    this.refused[target] = `${error.message.slice(0, MAX_REASON)} (${error.code})`;
  }

  /** To be stored with the settlement of a hold; undefined: there is nothing of note. @param goesOn the call has another attempt after it. */
  book(target: number, hold: Hold, sent: Sent, outcome: Outcome, settlement: Settlement, goesOn: boolean): StoredPlan | undefined {
    const { maxOutputTokens, limitFrom } = this.plan.targets[target]!;
    const warnings = sent.warnings.slice(0, MAX_WARNINGS).map((warning) => warning.slice(0, MAX_REASON));
    this.holds.push({
      target,
      attempts: outcome.attempts.length,
      limit_from: limitFrom,
      ...(hold.maxOutputTokens < maxOutputTokens && { lowered_from: maxOutputTokens }),
      max_output_tokens: sent.maxOutputTokens ?? hold.maxOutputTokens,
      ...(sent.thinkingLevel !== null && { thinking_level: sent.thinkingLevel }),
      ...(warnings.length > 0 && { warnings }),
      ...(settlement.estimated && { estimated: settlement.rates === null ? 'no_price' : outcome.untold }),
    });
    return this.isPlain(hold) ? undefined : this.stored(goesOn);
  }

  /** A call to the one model that it named, of which nothing was changed. */
  private isPlain(hold: Hold): boolean {
    const { route, defaultFrom, targets, skipped } = this.plan;
    if (route || defaultFrom || targets.length + skipped.length > 1 || this.call.options.timeoutMs !== null) return false;
    return this.holds.every(
      (one) =>
        (one.limit_from === 'client' || one.limit_from === 'default') &&
        one.lowered_from === undefined &&
        one.max_output_tokens === hold.maxOutputTokens &&
        !one.thinking_level &&
        !one.warnings &&
        !one.estimated,
    );
  }

  private stored(goesOn: boolean): StoredPlan {
    const { route, defaultFrom, targets, skipped, policy } = this.plan;
    return {
      ...(route && { route: { id: publicId('route', route.id), name: route.name, ...route.match } }),
      ...(defaultFrom && { default_from: defaultFrom }),
      policy: {
        retries: policy.retries,
        attempts: policy.attempts,
        deadline_ms: policy.deadlineMs,
        fallback_on: [...policy.fallbackOn],
      },
      targets: targets.map(({ reference }, at) => ({ model: reference, ...(this.refused[at] && { refused: this.refused[at] }) })),
      skipped: skipped.map(({ model, reason }) => ({ model, reason: reason.slice(0, MAX_REASON) })),
      holds: [...this.holds],
      ...(goesOn && { went_on: true }),
    };
  }
}
