import { Injectable } from '@nestjs/common';
import { ApiKeysService } from '../api-keys/index.js';
import { EACH, type ScopeKind } from '../budgets/index.js';
import { publicId } from '../kernel/ids.js';
import { References } from '../routing/index.js';
import { TenantsRepository } from '../tenants/index.js';
import { found, idOf } from './found.js';

/** What a budget or a limit is set on. */
@Injectable()
export class Scopes {
  constructor(
    private readonly tenants: TenantsRepository,
    private readonly apiKeys: ApiKeysService,
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

  /** A rule whose name has come to match nothing is not changed as if it counted. @throws as valueOf */
  async check(tenantId: string, { scopeKind, scopeValue }: { scopeKind: string; scopeValue: string }): Promise<void> {
    if (scopeKind === 'provider' || scopeKind === 'model') await this.valueOf(tenantId, { kind: scopeKind, value: scopeValue });
  }
}
