import { Injectable } from '@nestjs/common';
import { ConfigChanges, replaceOwned } from '../platform/postgres/index.js';
import { type EgressRule, matches, placeholders } from './egress-rule.js';
import { EgressRulesRepository } from './egress-rules.repository.js';

/** The egress rules of all tenants, in memory. */
@Injectable()
export class EgressRuleBook {
  private readonly byTenant = new Map<string, readonly EgressRule[]>();

  constructor(repository: EgressRulesRepository, changes: ConfigChanges) {
    changes.subscribe((owners) =>
      replaceOwned(owners, this.byTenant.keys(), repository.byOwner(owners), (owner, rules) => {
        if (rules.length === 0) this.byTenant.delete(owner);
        else this.byTenant.set(owner, rules.sort(byPrecedence));
      }),
    );
  }

  /** The rule that allows a request: of several an operator's, and of these the most exact one. Null: none does. */
  find(tenantId: string, provider: string, method: string, path: string): EgressRule | null {
    return this.of(tenantId, provider).find((rule) => rule.method === method && matches(rule, path)) ?? null;
  }

  /** Those of one provider. */
  of(tenantId: string, provider: string): EgressRule[] {
    return (this.byTenant.get(tenantId) ?? []).filter((rule) => rule.provider === provider);
  }

  /** The providers that a tenant has rules for. */
  providers(tenantId: string): ReadonlySet<string> {
    return new Set(this.byTenant.get(tenantId)?.map(({ provider }) => provider));
  }
}

/** An operator's rules first: no rule of the tenant's goes before the price in one. Then the most exact ones. */
const byPrecedence = (a: EgressRule, b: EgressRule): number =>
  Number(a.setBy !== 'operator') - Number(b.setBy !== 'operator') || placeholders(a.path) - placeholders(b.path) || (a.id < b.id ? -1 : 1);
