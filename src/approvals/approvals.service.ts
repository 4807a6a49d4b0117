import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { found } from '../kernel/found.js';
import type { Id } from '../kernel/ids.js';
import { Keyring, requestDigest } from '../platform/crypto/index.js';
import { ConfigChanges } from '../platform/postgres/index.js';
import type { Approval, Decider, Decision } from './approval.js';
import { type ApprovalQuery, ApprovalsRepository, type AskedApproval, type Standing } from './approvals.repository.js';

/** What processes tell each other of: the id of an approval whose state changed. */
const TOPIC = 'approval';
const TIDIED_AT_ONCE = 500;

/** Calls beyond a budget that somebody may approve. */
@Injectable()
export class ApprovalsService {
  /** Whoever waits for news of an approval. */
  private readonly waiting = new Map<Id, Set<() => void>>();

  constructor(
    private readonly repository: ApprovalsRepository,
    private readonly keyring: Keyring,
    changes: ConfigChanges,
  ) {
    changes.hear(TOPIC, {
      hear: (id) => this.wake(id),
      // Something may have been missed: whoever waits looks again.
      recall: async () => {
        for (const id of this.waiting.keys()) this.wake(id);
      },
    });
  }

  /** Tells one request from another: the key, the endpoint, what the headers ask for, and the body as it was sent. */
  fingerprint(apiKeyId: Id, endpoint: string, policy: string, body: string): Promise<Buffer> {
    return requestDigest(this.keyring.pepper, 'approval', body, apiKeyId, endpoint, policy);
  }

  /** The request that stands for a call, made where there is none. Null: no approval would help. */
  request(asked: AskedApproval): Promise<Standing | null> {
    return this.repository.request(asked);
  }

  /** @param apiKeyId only if that key asked; null: whichever. @throws WeirError not_found */
  async get(tenantId: Id, id: Id | null, apiKeyId: Id | null = null): Promise<Approval> {
    return found('approval', id === null ? null : await this.repository.find(tenantId, id, apiKeyId));
  }

  /** One more than asked for, where there are more. */
  list(tenantId: Id, query: ApprovalQuery): Promise<Approval[]> {
    return this.repository.list(tenantId, query);
  }

  /**
   * Decides a request. To decide the same again changes nothing.
   * @throws WeirError not_found, approval_decided, platform_rule, forbidden
   */
  async decide(tenantId: Id, id: Id, decision: Decision, decider: Decider, reason: string | null): Promise<Approval> {
    const became = await this.repository.decide(tenantId, id, decision, decider, reason);
    if (became === 'operator') throw new WeirError('platform_rule', { message: ONLY_OPERATORS });
    if (became === 'maker') throw new WeirError('forbidden', { message: FOUR_EYES });
    const approval = await this.get(tenantId, id);
    if (became !== 'other') return approval;
    const { state, decidedBy } = approval;
    const message = decidedBy === null ? `This request is ${state}.` : `${decidedBy} has decided this request: it is ${state}.`;
    throw new WeirError('approval_decided', { message });
  }

  /** Resolves when something may have become of an approval, or the signal says so. */
  news(id: Id, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.waiting.get(id) ?? new Set();
      this.waiting.set(id, waiting);
      const done = () => {
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0) this.waiting.delete(id);
        resolve();
      };
      waiting.add(done);
      if (signal.aborted) return done();
      signal.addEventListener('abort', done);
    });
  }

  /** Takes back what a call that has ended did not need of what was granted for it. */
  takeBack(tenantId: Id, holdId: Id): Promise<void> {
    return this.repository.takeBack(tenantId, holdId);
  }

  /** Ends what is over, no more than begins within `patienceMs`. */
  async tidy(patienceMs: number): Promise<void> {
    const until = performance.now() + patienceMs;
    while ((await this.repository.tidy(TIDIED_AT_ONCE)) >= TIDIED_AT_ONCE && performance.now() < until);
  }

  private wake(id: Id): void {
    for (const done of this.waiting.get(id) ?? []) done();
  }
}

const ONLY_OPERATORS = 'An operator set one of the budgets of this request. Only an operator may decide it.';
const FOUR_EYES = 'You made the API key of this request, and one of its budgets wants somebody else to decide. Ask another approver.';
