import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { ConfigChanges } from '../platform/postgres/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import { BreakerSet, type BreakerState, type BreakerTarget, type Went } from './breaker-set.js';
import { BREAKER, BreakersRepository } from './breakers.repository.js';
import type { BreakerScope, OpenBreaker, Trouble } from './open-breaker.js';

/** A target, and what it is called. */
type NamedTarget = BreakerTarget & { provider: string };

/** What one process tells the others. */
interface News {
  from: string;
  scope: BreakerScope;
  /** Null: it is closed. */
  opened: (Trouble & { seconds: number }) | null;
}

/** A target that keeps failing is left alone for a while, by every process. */
@Injectable()
export class Breakers {
  private readonly self = randomUUID();
  private readonly set: BreakerSet;

  constructor(
    private readonly repository: BreakersRepository,
    private readonly metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(CONFIG) { breakerFailures }: Pick<Config, 'breakerFailures'>,
    changes: ConfigChanges,
  ) {
    this.set = new BreakerSet(breakerFailures, (to, breaker) => this.changed(to, breaker));
    changes.hear(BREAKER, { hear: (news) => this.hear(JSON.parse(news) as News), recall: () => this.recall() });
    metrics.watchBy('weir_breakers_open', 'Breakers that are open or half-open, by the type of their provider.', ['provider'], () =>
      [...this.set.openByType()].map(([provider, open]) => [{ provider }, open]),
    );
  }

  /** Why a call may not be sent to a target now; null: it may. */
  refusal(target: NamedTarget, tenantId: string): WeirError | null {
    const found = this.set.find(target, tenantId);
    return found && unavailable(target, found.trouble, found.waitMs);
  }

  /** The same, for an attempt that begins now unless it is refused. */
  begin(target: NamedTarget, tenantId: string, attempt: object): WeirError | null {
    const refusal = this.refusal(target, tenantId);
    if (refusal === null) this.set.begin(target, tenantId, attempt);
    return refusal;
  }

  /** See {@link BreakerSet.answers}. */
  answers(target: NamedTarget, tenantId: string, attempt: object): void {
    this.set.answers(target, tenantId, attempt);
  }

  /** An attempt that began has ended. @param failure see {@link BreakerSet.end} */
  end(target: NamedTarget, tenantId: string, attempt: object, went: Went, failure: string): void {
    if (target.type !== MOCK) this.set.end(target, tenantId, attempt, went, failure);
  }

  private changed(to: BreakerState, breaker: OpenBreaker): void {
    this.metrics.breakerChanges.inc({ to });
    if (to === 'half_open') return;
    this.note(to, breaker).catch((error: Error) => {
      this.log.warn({ provider: breaker.scope.providerId, err: error.message }, 'could not store the health of a target');
    });
  }

  private note(to: 'open' | 'closed', breaker: OpenBreaker): Promise<void> {
    const { scope, trouble } = breaker;
    const seconds = breaker.openForMs(performance.now()) / 1000;
    const news: News = { from: this.self, scope, opened: to === 'open' ? { ...trouble, seconds } : null };
    const text = JSON.stringify(news);
    return to === 'open' ? this.repository.noteOpened(scope, trouble, seconds, text) : this.repository.noteClosed(scope, text);
  }

  private hear({ from, scope, opened }: News): void {
    if (from === this.self) return;
    if (opened === null) this.set.hearClosed(scope);
    else this.set.hearOpened(scope, opened, opened.seconds * 1000);
  }

  private async recall(): Promise<void> {
    for (const { scope, trouble, seconds } of await this.repository.open()) this.set.hearOpened(scope, trouble, seconds * 1000);
  }
}

/** Its failures are asked for. */
const MOCK = 'mock';

function unavailable({ provider, model }: NamedTarget, { reason }: Trouble, waitMs: number): WeirError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new WeirError('provider_unavailable', {
    message: `The model "${model}" of the provider "${provider}" ${reason}. It is tried again in ${seconds} s.`,
    retry: true,
    retryAfterSeconds: seconds,
  });
}
