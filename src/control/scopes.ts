import { Injectable } from '@nestjs/common';
import { ApiKeysService } from '../api-keys/index.js';
import { EACH, type ScopeKind } from '../budgets/index.js';
import { publicId } from '../kernel/ids.js';
import { TenantsRepository } from '../tenants/index.js';
import { found, idOf } from './found.js';

/** What a budget or a limit is set on. */
@Injectable()
export class Scopes {
  constructor(
    private readonly tenants: TenantsRepository,
    private readonly apiKeys: ApiKeysService,
  ) {}

  /** The value that calls of this scope carry. @throws WeirError not_found when it is an id that is not the tenant's. */
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
      case 'end_user':
      case 'session':
      case 'model':
      case 'provider':
      case 'tag':
      case 'scope':
        return value;
    }
  }
}
