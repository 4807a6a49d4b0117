import { type BreakerScope, OpenBreaker, type Trouble } from './open-breaker.js';
import { RecentAttempts } from './recent-attempts.js';

/** What one attempt says of its target. `neither`: nothing, e.g. the request was refused, or its client left. */
export type Went = 'served' | 'failed' | 'neither';

export type BreakerState = 'open' | 'half_open' | 'closed';

/** What a breaker needs to know of a target. */
export interface BreakerTarget {
  providerId: string;
  type: string;
  model: string;
  credential: { id: string } | null;
  /** Its credential is the token of a login, and another one tomorrow. */
  subscription: unknown;
  /** The platform's: tenants share it. */
  lent: boolean;
}

const NONE: readonly OpenBreaker[] = [];
const SWEEP_MS = 10_000;
const MAX_COUNTED = 20_000;
const MAX_OPEN = 10_000;
/** An open breaker is forgotten when nobody has asked for its target for so long. */
const FORGOTTEN_MS = 600_000;
/** For so long a process does not follow others about a target that answered it all the same: their network may be at fault. */
const CONTRADICTED_MS = 60_000;

/**
 * Which targets are left alone, as this process knows it. A target that the platform lends has a breaker for each tenant, because a request may be
 * what makes it fail. One for all opens once two tenants' are open.
 */
export class BreakerSet {
  private readonly counted = new Map<string, RecentAttempts>();
  private readonly open = new Map<string, OpenBreaker>();
  private readonly contradicted = new Map<string, number>();
  private sweptAt = Number.NEGATIVE_INFINITY;

  /**
   * @param enough failures in a row open a breaker, and half of at least as many attempts. 0: none opens.
   * @param onChange what became of a breaker by what this process saw.
   * @param now of the monotonic clock, in ms.
   */
  constructor(
    private readonly enough: number,
    private readonly onChange: (to: BreakerState, breaker: OpenBreaker) => void,
    private readonly now: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {}

  /** What stops a call from being sent to a target; null: nothing. */
  find(target: BreakerTarget, tenantId: string): { trouble: Trouble; waitMs: number } | null {
    if (this.open.size === 0) return null;
    const now = this.now();
    for (const breaker of this.openOf(target, tenantId)) {
      const waitMs = breaker.waitMs(now);
      if (waitMs > 0) return { trouble: breaker.trouble, waitMs };
    }
    return null;
  }

  /** An attempt begins that nothing stops. It is the trial of a breaker that is half-open. */
  begin(target: BreakerTarget, tenantId: string, attempt: object): void {
    if (this.open.size === 0) return;
    for (const breaker of this.openOf(target, tenantId)) {
      breaker.beginTrial(attempt, this.now());
      this.onChange('half_open', breaker);
    }
  }

  /** An attempt has something of an answer, which may take long. */
  answers(target: BreakerTarget, tenantId: string, attempt: object): void {
    if (this.open.size === 0) return;
    for (const breaker of this.openOf(target, tenantId)) if (breaker.isTrial(attempt)) this.close(breaker);
  }

  /** @param failure of one that failed, e.g. `upstream_error (503)`. */
  end(target: BreakerTarget, tenantId: string, attempt: object, went: Went, failure: string): void {
    if (this.enough === 0) return;
    const now = this.now();
    this.sweep(now);
    const open = this.open.size === 0 ? NONE : this.openOf(target, tenantId);
    for (const breaker of open) if (breaker.isTrial(attempt)) this.endTrial(breaker, went, lastWas(failure), now);
    // What began before it opened says nothing new.
    if (open.length > 0 || went === 'neither') return;
    const key = keyOf(target, tenantId);
    const counted = this.counted.get(key) ?? new RecentAttempts();
    this.counted.set(key, counted);
    const excess = counted.add(went === 'failed', this.enough, now);
    if (excess === null) return;
    this.counted.delete(key);
    const trouble = { reason: `${excess}, ${lastWas(failure)}`, failures: counted.failedInARow };
    this.put(new OpenBreaker(scopeOf(target, tenantId), trouble, false, now), target.lent);
  }

  /** Another process opened a breaker. @param forMs how long it is open from now on. */
  hearOpened(scope: BreakerScope, trouble: Trouble, forMs: number): void {
    const key = keyOfScope(scope);
    const now = this.now();
    if (this.enough === 0 || now < (this.contradicted.get(key) ?? 0)) return;
    const open = this.open.get(key);
    if (open) return open.extend(trouble, now, forMs);
    this.counted.delete(key);
    this.keep(new OpenBreaker(scope, trouble, true, now, forMs));
  }

  /** Another process closed a breaker. */
  hearClosed(scope: BreakerScope): void {
    this.open.get(keyOfScope(scope))?.halfOpen(this.now());
  }

  /** How many are not closed, by the type of their provider. */
  openByType(): Map<string, number> {
    this.sweep(this.now());
    const counts = new Map<string, number>();
    for (const { scope } of this.open.values()) counts.set(scope.type, (counts.get(scope.type) ?? 0) + 1);
    return counts;
  }

  /** How many targets it knows of. */
  get size(): number {
    return this.counted.size + this.open.size;
  }

  private openOf(target: BreakerTarget, tenantId: string): OpenBreaker[] {
    const own = this.open.get(keyOf(target, tenantId));
    const shared = target.lent ? this.open.get(keyOf(target, null)) : undefined;
    return [own, shared].filter((breaker) => breaker !== undefined);
  }

  private endTrial(breaker: OpenBreaker, went: Went, last: string, now: number): void {
    if (went === 'served') return this.close(breaker);
    if (went === 'neither') return breaker.endTrial();
    breaker.reopen(last, now, this.random());
    this.onChange('open', breaker);
  }

  private put(breaker: OpenBreaker, isLent: boolean): void {
    this.keep(breaker);
    this.onChange('open', breaker);
    if (!isLent || !this.failsOthers(breaker)) return;
    const shared = { ...breaker.scope, tenantId: null };
    if (!this.open.has(keyOfScope(shared))) this.put(new OpenBreaker(shared, breaker.trouble, false, this.now()), false);
  }

  private failsOthers({ scope }: OpenBreaker): boolean {
    for (const { scope: other } of this.open.values())
      if (
        other.providerId === scope.providerId &&
        other.model === scope.model &&
        other.credentialId === scope.credentialId &&
        other.tenantId !== null &&
        other.tenantId !== scope.tenantId
      )
        return true;
    return false;
  }

  private keep(breaker: OpenBreaker): void {
    if (this.open.size >= MAX_OPEN) this.open.delete(this.open.keys().next().value!);
    this.open.set(keyOfScope(breaker.scope), breaker);
  }

  private close(breaker: OpenBreaker): void {
    const key = keyOfScope(breaker.scope);
    this.open.delete(key);
    if (breaker.isHeard) this.contradicted.set(key, this.now() + CONTRADICTED_MS);
    this.onChange('closed', breaker);
  }

  /** Forgets what is over. */
  private sweep(now: number): void {
    if (now - this.sweptAt < SWEEP_MS && this.counted.size < MAX_COUNTED) return;
    this.sweptAt = now;
    for (const [key, counted] of this.counted) if (counted.isOver(now)) this.counted.delete(key);
    for (const [key, breaker] of this.open) if (breaker.unusedMs(now) > FORGOTTEN_MS) this.open.delete(key);
    for (const [key, until] of this.contradicted) if (until <= now) this.contradicted.delete(key);
    if (this.counted.size >= MAX_COUNTED) this.counted.clear();
  }
}

const lastWas = (failure: string): string => `last: ${failure}`;

const credentialIdOf = ({ credential, subscription }: BreakerTarget): string | null => (subscription ? null : (credential?.id ?? null));

const scopeOf = (target: BreakerTarget, tenantId: string | null): BreakerScope => ({
  providerId: target.providerId,
  type: target.type,
  credentialId: credentialIdOf(target),
  model: target.model,
  tenantId,
});

const keyOf = (target: BreakerTarget, tenantId: string | null): string =>
  `${target.providerId} ${credentialIdOf(target)} ${tenantId} ${target.model}`;

const keyOfScope = ({ providerId, credentialId, tenantId, model }: BreakerScope): string =>
  `${providerId} ${credentialId} ${tenantId} ${model}`;
