import { Injectable } from '@nestjs/common';
import { ApiKeysService } from '../../api-keys/index.js';
import { NetworkBindingsRepository } from '../../inference-local/index.js';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { EACH, type ScopeKind } from '../../quotas/index.js';
import { References } from '../../routing/index.js';
import { TenantsRepository } from '../../tenants/index.js';
import { idOf } from '../http/path-id.js';

/** What a budget or a limit is set on. */
@Injectable()
export class Scopes {
  constructor(
    private readonly tenants: TenantsRepository,
    private readonly apiKeys: ApiKeysService,
    private readonly bindings: NetworkBindingsRepository,
    private readonly references: References,
  ) {}

  /**
   * The value that calls of this scope carry.
   * @throws WeirError not_found when it is an id that is not the tenant's, invalid_request when it names a provider or a model that no call has.
   */
  async valueOf(tenantId: string, { kind, value = publicId('tenant', tenantId) }: { kind: ScopeKind; value?: string }): Promise<string> {
    const param = 'scope.value';
    if (value === EACH) return value;
    switch (kind) {
      case 'tenant':
        found('tenant', idOf('tenant', value, param) === tenantId || null, param);
        return value;
      case 'project':
        found('project', await this.tenants.findProject(tenantId, idOf('project', value, param)), param);
        return value;
      case 'api_key':
        found('apiKey', await this.apiKeys.findInTenant(tenantId, idOf('apiKey', value, param)), param);
        return value;
      case 'binding':
        found('binding', await this.bindings.find(tenantId, idOf('binding', value, param)), param);
        return value;
      case 'provider':
        return (await this.references.provider(tenantId, value, param)).name;
      case 'model':
        return this.references.counted(tenantId, value, param);
      case 'end_user':
      case 'session':
      case 'tag':
      case 'scope':
        return value;
    }
  }

  /**
   * Of stored rules, in their order: what keeps calls from counting against each. Null: nothing. A rule outlives the provider, the project or the
   * key that it is set on, and its owner believes to be capped.
   */
  async uncounted(tenantId: string, rules: readonly StoredScope[]): Promise<(string | null)[]> {
    const named = rules.filter(isNamed);
    const faults = await this.references.uncounted(
      tenantId,
      named.map(({ scopeKind, scopeValue }) => ({ kind: scopeKind, value: scopeValue })),
    );
    const byName = new Map(named.map((rule, i) => [rule as StoredScope, faults[i] ?? null]));
    return Promise.all(rules.map((rule) => byName.get(rule) ?? this.over(tenantId, rule)));
  }

  private async over(tenantId: string, { scopeKind, scopeValue }: StoredScope): Promise<string | null> {
    if (scopeValue === EACH) return null;
    if (scopeKind === 'project') {
      const project = await this.tenants.findProject(tenantId, idOf('project', scopeValue));
      return project?.archivedAt ? 'The project is archived.' : null;
    }
    if (scopeKind === 'binding') {
      const binding = await this.bindings.find(tenantId, idOf('binding', scopeValue));
      return binding ? null : 'The binding is deleted.';
    }
    if (scopeKind !== 'api_key') return null;
    const key = await this.apiKeys.findInTenant(tenantId, idOf('apiKey', scopeValue));
    return key?.revokedAt ? 'The API key is revoked.' : null;
  }

  /** A rule whose name has come to match nothing is not changed as if it counted. @throws as valueOf */
  async check(tenantId: string, rule: StoredScope): Promise<void> {
    if (isNamed(rule)) await this.valueOf(tenantId, { kind: rule.scopeKind, value: rule.scopeValue });
  }
}

interface StoredScope {
  scopeKind: string;
  scopeValue: string;
}

/** Set on a name that a provider record gives. */
const isNamed = (rule: StoredScope): rule is StoredScope & { scopeKind: 'provider' | 'model' } =>
  (rule.scopeKind === 'provider' || rule.scopeKind === 'model') && rule.scopeValue !== EACH;
