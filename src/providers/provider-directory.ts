import { Injectable } from '@nestjs/common';
import { ConfigChanges, PLATFORM } from '../platform/postgres/index.js';
import type { ProviderRecord } from './provider.js';
import { ProvidersRepository } from './providers.repository.js';

/** Which providers each tenant may use, by name, in memory. A tenant's own record hides a platform one of the same name. */
@Injectable()
export class ProviderDirectory {
  private readonly tenants = new Map<string, Map<string, ProviderRecord>>();

  constructor(
    private readonly repository: ProvidersRepository,
    changes: ConfigChanges,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds));
  }

  find(tenantId: string, name: string): ProviderRecord | null {
    return this.tenants.get(tenantId)?.get(name) ?? null;
  }

  list(tenantId: string): ProviderRecord[] {
    return [...(this.tenants.get(tenantId)?.values() ?? [])];
  }

  /** A change of a platform provider concerns whoever was granted it, hence everybody. */
  private async reload(tenantIds: string[] | null): Promise<void> {
    const scope = tenantIds?.includes(PLATFORM) ? null : tenantIds;
    const usable = await this.repository.usable(scope);
    const byTenant = Map.groupBy(usable, (entry) => entry.tenantId);
    for (const tenantId of scope ?? this.tenants.keys()) if (!byTenant.has(tenantId)) this.tenants.delete(tenantId);
    for (const [tenantId, entries] of byTenant)
      this.tenants.set(tenantId, new Map(entries.map(({ provider }) => [provider.name, provider])));
  }
}
