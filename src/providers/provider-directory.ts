import { Inject, Injectable } from '@nestjs/common';
import { ConfigChanges, PLATFORM, replaceOwned } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { providerType } from './catalog/catalog.js';
import type { ProviderRecord } from './provider.js';
import { ProvidersRepository } from './providers.repository.js';

/** Which providers each tenant may use, by name, in memory. A tenant's own record hides a platform one of the same name. */
@Injectable()
export class ProviderDirectory {
  /** The platform's, by id. */
  private platform = new Map<string, ProviderRecord>();
  private readonly own = new Map<string, ProviderRecord[]>();
  private readonly granted = new Map<string, string[]>();
  /** The two together, for tenants that were asked for since either changed. */
  private readonly usable = new Map<string, Map<string, ProviderRecord>>();

  constructor(
    private readonly repository: ProvidersRepository,
    @Inject(LOGGER) private readonly log: Logger,
    changes: ConfigChanges,
  ) {
    changes.subscribe((owners) => this.reload(owners));
  }

  find(tenantId: string, name: string): ProviderRecord | null {
    return this.of(tenantId).get(name) ?? null;
  }

  list(tenantId: string): ProviderRecord[] {
    return [...this.of(tenantId).values()];
  }

  private of(tenantId: string): ReadonlyMap<string, ProviderRecord> {
    let usable = this.usable.get(tenantId);
    if (!usable) {
      const lent = (this.granted.get(tenantId) ?? []).flatMap((id) => this.platform.get(id) ?? []);
      usable = new Map([...lent, ...(this.own.get(tenantId) ?? [])].map((record) => [record.name, record]));
      this.usable.set(tenantId, usable);
    }
    return usable;
  }

  private async reload(owners: readonly string[] | null): Promise<void> {
    await replaceOwned(owners, [...this.own.keys(), PLATFORM], this.repository.byOwner(owners), (owner, records) => {
      const known = records.filter((record) => this.isKnown(record));
      if (owner === PLATFORM) {
        this.platform = new Map(known.map((record) => [record.id, record]));
        this.usable.clear();
      } else put(this.own, owner, known);
      this.usable.delete(owner);
    });
    await replaceOwned(owners, this.granted.keys(), this.repository.grantedTo(owners), (tenantId, providerIds) => {
      put(this.granted, tenantId, providerIds);
      this.usable.delete(tenantId);
    });
  }

  /** A record of a newer version's, or one that somebody wrote into the database. */
  private isKnown({ id, type }: ProviderRecord): boolean {
    if (providerType(type)) return true;
    this.log.error({ provider: id, type }, 'a provider has a type that this version does not know, so it is not used');
    return false;
  }
}

function put<Item>(map: Map<string, Item[]>, owner: string, items: Item[]): void {
  if (items.length === 0) map.delete(owner);
  else map.set(owner, items);
}
