import { Injectable } from '@nestjs/common';
import { found } from '../kernel/found.js';
import type { Id } from '../kernel/ids.js';
import { type ProviderRecord, ProvidersRepository } from '../providers/index.js';
import { TenantsRepository } from '../tenants/index.js';

/** Which tenants may use a provider of the platform. */
@Injectable()
export class ProviderGrants {
  constructor(
    private readonly providers: ProvidersRepository,
    private readonly tenants: TenantsRepository,
  ) {}

  /** The ids of the tenants that may use it, the newest first. @throws WeirError not_found */
  async list(providerId: Id): Promise<Id[]> {
    return this.providers.grantees((await this.provider(providerId)).id);
  }

  /** May be repeated. @throws WeirError not_found, tenant_deleted */
  async grant(providerId: Id, tenantId: Id): Promise<void> {
    const provider = await this.provider(providerId);
    const tenant = await this.tenants.existing(tenantId, 'tenant');
    await this.providers.grant(tenant.id, provider.id);
  }

  /** May be repeated. @throws WeirError not_found, tenant_deleted */
  async revoke(providerId: Id, tenantId: Id): Promise<void> {
    const provider = await this.provider(providerId);
    const tenant = await this.tenants.existing(tenantId);
    await this.providers.revokeGrant(tenant.id, provider.id);
  }

  private async provider(id: Id): Promise<ProviderRecord> {
    return found('provider', await this.providers.find(null, id));
  }
}
