import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { found } from '../kernel/found.js';
import type { Scope } from '../ledger/index.js';
import type { MaxRules } from './capacity.repository.js';
import type { CountingLimit, Limit } from './limit.js';
import { type LimitChanges, LimitsRepository, type NewLimit } from './limits.repository.js';

/** What is set. Calls are counted where they are admitted, in the ledger's own statement. */
@Injectable()
export class LimitsService {
  constructor(private readonly repository: LimitsRepository) {}

  /** @param max how many the tenant may have; null: any number. @throws WeirError too_many */
  create(limit: NewLimit, max: MaxRules | null = null): Promise<Limit> {
    return this.repository.insert(limit, max);
  }

  /** @throws WeirError not_found */
  async get(tenantId: string, id: string): Promise<Limit> {
    return found('limit', await this.repository.find(tenantId, id));
  }

  list(tenantId: string): Promise<Limit[]> {
    return this.repository.list(tenantId);
  }

  /** The limits that count calls of these scopes, as they are now. */
  counting(tenantId: string, scopes: readonly Scope[]): Promise<CountingLimit[]> {
    return this.repository.counting(tenantId, scopes);
  }

  /** @throws WeirError not_found, precondition_failed, invalid_request when nothing would be limited any more. */
  async update(tenantId: string, id: string, changes: LimitChanges, version: number | null): Promise<Limit> {
    const { requestsPerMinute, tokensPerMinute, concurrency } = { ...(await this.get(tenantId, id)), ...changes };
    if (requestsPerMinute === null && tokensPerMinute === null && concurrency === null)
      throw new WeirError('invalid_request', { message: 'A limit must limit something. Delete it instead.' });
    const limit = await this.repository.update(tenantId, id, changes, version);
    if (!limit) throw new WeirError('precondition_failed');
    return limit;
  }

  /** @throws WeirError not_found, precondition_failed */
  async delete(tenantId: string, id: string, version: number | null = null): Promise<void> {
    await this.get(tenantId, id);
    if (!(await this.repository.delete(tenantId, id, version))) throw new WeirError('precondition_failed');
  }
}
