import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { found } from '../kernel/found.js';
import { type EgressRule, nameOf, shapeOf } from './egress-rule.js';
import { EgressRulesRepository, type NewEgressRule } from './egress-rules.repository.js';

/** What is set. Whether there is such a provider is for whoever knows providers. */
@Injectable()
export class EgressRulesService {
  constructor(private readonly repository: EgressRulesRepository) {}

  /** @param max how many the tenant may have; null: any number. @throws WeirError conflict, too_many */
  create(rule: NewEgressRule, max: number | null): Promise<EgressRule> {
    return this.repository.alone(rule.tenantId, async (rules) => {
      const others = await rules.list();
      if (max !== null && others.length >= max)
        throw new WeirError('too_many', {
          message: `A tenant may have at most ${max} egress rules. Delete one first.`,
          fields: { limit: max },
        });
      assertNew(rule, others);
      return rules.insert(rule);
    });
  }

  /** @throws WeirError not_found */
  async get(tenantId: string, id: string): Promise<EgressRule> {
    const all = await this.repository.list(tenantId);
    return found('egressRule', all.find((rule) => rule.id === id) ?? null);
  }

  list(tenantId: string): Promise<EgressRule[]> {
    return this.repository.list(tenantId);
  }

  /** @param version that it must have; null: any. @throws WeirError not_found, precondition_failed, conflict */
  update(tenantId: string, id: string, changes: Partial<NewEgressRule>, version: number | null): Promise<EgressRule> {
    return this.repository.alone(tenantId, async (rules) => {
      const all = await rules.list();
      const rule = found('egressRule', all.find((one) => one.id === id) ?? null);
      if (version !== null && version !== rule.version) throw new WeirError('precondition_failed');
      const changed = { ...rule, ...changes };
      assertNew(
        changed,
        all.filter((other) => other !== rule),
      );
      return rules.replace(id, changed);
    });
  }

  /** @param version that it must have; null: any. @throws WeirError not_found, precondition_failed */
  async delete(tenantId: string, id: string, version: number | null): Promise<void> {
    const rule = await this.get(tenantId, id);
    if (!(await this.repository.delete(tenantId, rule.id, version))) throw new WeirError('precondition_failed');
  }
}

/** Of two rules that match the same requests one would never be used. */
function assertNew(rule: NewEgressRule, others: readonly EgressRule[]): void {
  const twin = others.find(
    ({ provider, method, path }) => provider === rule.provider && method === rule.method && shapeOf(path) === shapeOf(rule.path),
  );
  if (twin)
    throw new WeirError('conflict', {
      param: 'path',
      message: `A rule of the provider "${rule.provider}" allows ${nameOf(twin)} already. Change that one.`,
    });
}
