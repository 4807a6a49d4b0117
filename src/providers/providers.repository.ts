import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import {
  CONFIG_POOL,
  isUniqueViolation,
  type OwnedTable,
  type Pool,
  Prisma,
  type PrismaExecutor,
  rowsByOwner,
} from '../platform/postgres/index.js';
import type { AiGatewayOptions } from './ai-gateway.js';
import type { ProviderRecord, Quirks } from './provider.js';

type Endpoint = 'auth' | 'defaultModel' | 'onClientGone';
type Unset = 'id' | 'awaitsKey' | 'byOperator' | 'createdAt' | 'capabilities' | 'quirks' | 'gatewayOptions';

export type NewProvider = Omit<ProviderRecord, Unset | Endpoint> &
  Partial<Pick<ProviderRecord, Endpoint | 'byOperator'>> & {
    quirks?: Quirks | undefined;
    gatewayOptions?: AiGatewayOptions | undefined;
  };

@Injectable()
export class ProvidersRepository {
  constructor(
    private readonly prisma: Prisma,
    @Inject(CONFIG_POOL) private readonly pool: Pool,
  ) {}

  async insert(provider: NewProvider, db: PrismaExecutor = this.prisma): Promise<ProviderRecord> {
    try {
      return await db.provider.create({ data: { id: newId(), ...provider, models: [...provider.models] } });
    } catch (error) {
      if (isUniqueViolation(error))
        throw new WeirError('conflict', { param: 'name', message: `A provider named "${provider.name}" already exists.` });
      throw error;
    }
  }

  /** Null: no such provider of this owner. */
  find(tenantId: string | null, id: string, db: PrismaExecutor = this.prisma): Promise<ProviderRecord | null> {
    return db.provider.findFirst({ where: { id, tenantId, deletedAt: null } });
  }

  /** Finds a record and locks it until the transaction ends, so that its origin and its secret change together. */
  async lock(tenantId: string | null, id: string, db: PrismaExecutor): Promise<ProviderRecord | null> {
    await db.$queryRaw`SELECT 1 FROM providers WHERE id = ${id}::uuid FOR UPDATE`;
    return this.find(tenantId, id, db);
  }

  /** The records with these ids, and those of the tenant and the platform with these names, removed ones too; the latest first. */
  everKnown(tenantId: string, ids: string[], names: string[]): Promise<ProviderRecord[]> {
    const named = { name: { in: names }, OR: [{ tenantId }, { tenantId: null }] };
    return this.prisma.provider.findMany({ where: { OR: [{ id: { in: ids } }, named] }, orderBy: { id: 'desc' } });
  }

  /** A tenant's own records, or the platform's. */
  list(tenantId: string | null): Promise<ProviderRecord[]> {
    return this.prisma.provider.findMany({ where: { tenantId, deletedAt: null }, orderBy: { id: 'desc' } });
  }

  update(
    id: string,
    changes: Partial<
      Pick<NewProvider, 'baseUrl' | 'models' | 'dialect' | 'nativeTools' | 'quirks' | 'gatewayOptions' | 'byOperator' | Endpoint>
    >,
    db: PrismaExecutor = this.prisma,
  ): Promise<ProviderRecord> {
    return db.provider.update({ where: { id }, data: { ...changes, models: changes.models && [...changes.models] } });
  }

  /** @param capabilities null: what was found before is not so any more. */
  async noteCapabilities(id: string, capabilities: object | null, db: PrismaExecutor = this.prisma): Promise<void> {
    await db.$executeRaw`UPDATE providers SET capabilities = ${capabilities && JSON.stringify(capabilities)}::jsonb WHERE id = ${id}::uuid`;
  }

  /** Its grants go with it. */
  async delete(id: string, db: PrismaExecutor = this.prisma): Promise<void> {
    await db.providerGrant.deleteMany({ where: { providerId: id } });
    await db.provider.update({ where: { id }, data: { deletedAt: new Date() } });
  }

  async grant(tenantId: string, providerId: string): Promise<void> {
    await this.prisma.providerGrant.createMany({ data: [{ tenantId, providerId }], skipDuplicates: true });
  }

  async revokeGrant(tenantId: string, providerId: string): Promise<void> {
    await this.prisma.providerGrant.deleteMany({ where: { tenantId, providerId } });
  }

  /** The tenants that may use a platform provider, the newest first. */
  async grantees(providerId: string): Promise<string[]> {
    const grants = await this.prisma.providerGrant.findMany({ where: { providerId }, orderBy: { tenantId: 'desc' } });
    return grants.map(({ tenantId }) => tenantId);
  }

  /** What a tenant may use now: the platform's records it was granted, then its own. */
  async usable(tenantId: string): Promise<ProviderRecord[]> {
    const granted = await this.prisma.providerGrant.findMany({
      where: { tenantId, provider: { deletedAt: null } },
      include: { provider: true },
    });
    return [...granted.map(({ provider }) => provider), ...(await this.list(tenantId))];
  }

  /** The records of these owners (null: of all), owner by owner. */
  byOwner(owners: readonly string[] | null): AsyncGenerator<[owner: string, records: ProviderRecord[]]> {
    return rowsByOwner<ProviderRecord, ProviderRecord>(this.pool, PROVIDERS, owners, (record) => record);
  }

  /** The ids of the platform's records that these tenants (null: all) were granted, tenant by tenant. */
  grantedTo(tenantIds: readonly string[] | null): AsyncGenerator<[tenantId: string, providerIds: string[]]> {
    return rowsByOwner<{ key: string }, string>(this.pool, GRANTS, tenantIds, ({ key }) => key);
  }
}

const PROVIDERS: OwnedTable = {
  columns: `t.id, t.tenant_id AS "tenantId", t.name, t.type, t.base_url AS "baseUrl", t.dialect, t.native_tools AS "nativeTools",
    t.on_client_gone AS "onClientGone", t.quirks,
    t.gateway_options AS "gatewayOptions", t.auth, t.default_model AS "defaultModel", t.capabilities, t.models, t.awaits_key AS "awaitsKey",
    t.by_operator AS "byOperator", t.created_at AS "createdAt"`,
  table: 'providers',
  key: 'id',
  where: 't.deleted_at IS NULL',
  platform: true,
};

const GRANTS: OwnedTable = { columns: 't.tenant_id', table: 'provider_grants', key: 'provider_id', where: 'true', platform: false };
