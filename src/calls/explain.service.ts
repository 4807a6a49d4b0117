import { Injectable } from '@nestjs/common';
import { type CallFilters, CallsRepository } from './calls.repository.js';
import { ExplainRepository } from './explain.repository.js';
import { renderExplanation } from './explain-render.js';
import type { StoredPlan } from './stored-plan.js';

/** How far a call goes, as routing says it. */
interface Policy {
  retries: number;
  attempts: number;
  deadlineMs: number | null;
  fallbackOn: ReadonlySet<string>;
}

/** Says why a call went as it did, and what it cost. */
@Injectable()
export class ExplainService {
  constructor(
    private readonly calls: CallsRepository,
    private readonly repository: ExplainRepository,
  ) {}

  /** @param policy of a call that no route matches. Null: no such call of this tenant, or not of this key. */
  async explain(
    tenantId: string,
    callId: string,
    policy: Policy,
    filters: Pick<CallFilters, 'apiKeyId' | 'projectId'> = {},
  ): Promise<ReturnType<typeof renderExplanation> | null> {
    const call = await this.calls.find(tenantId, callId, filters);
    return call && renderExplanation(await this.repository.read(call), stored(policy));
  }
}

const stored = ({ retries, attempts, deadlineMs, fallbackOn }: Policy): StoredPlan['policy'] => ({
  retries,
  attempts,
  deadline_ms: deadlineMs,
  fallback_on: [...fallbackOn],
});
