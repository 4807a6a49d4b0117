import { Inject, Injectable } from '@nestjs/common';
import { Keyring, Secret } from '../platform/crypto/index.js';
import { CONFIG_POOL, type OwnedTable, PLATFORM, type Pool, Prisma, type PrismaExecutor, rowsByOwner } from '../platform/postgres/index.js';
import type { ProviderRecord } from '../providers/index.js';

/** Headers of the customer's own for one provider: sealed at rest, bound to its owner and origin as its credential is. */
export interface ProviderHeaders {
  providerId: string;
  tenantId: string | null;
  /** The only one they may be sent to. */
  origin: string;
  /** Null: they cannot be opened. */
  headers: readonly (readonly [name: string, value: Secret])[] | null;
}

type Owner = Pick<ProviderRecord, 'id' | 'tenantId'>;

const HEADERS: OwnedTable = {
  columns: 't.provider_id AS "providerId", t.tenant_id AS "tenantId", t.origin, t.sealed',
  table: 'provider_headers',
  key: 'provider_id',
  where: 'true',
  joined: { joins: 'LEFT JOIN providers provider ON provider.id = t.provider_id', where: 'provider.deleted_at IS NULL' },
  platform: true,
};

@Injectable()
export class ProviderHeadersRepository {
  constructor(
    private readonly prisma: Prisma,
    private readonly keyring: Keyring,
    @Inject(CONFIG_POOL) private readonly pool: Pool,
  ) {}

  /** Seals headers for a provider at its present origin, replacing what was there. None: destroys what was there. */
  async put(provider: ProviderRecord, headers: Readonly<Record<string, string>>, db: PrismaExecutor): Promise<void> {
    await this.drop(provider.id, db);
    const names = Object.keys(headers);
    if (names.length === 0) return;
    const { origin } = new URL(provider.baseUrl);
    const sealed = await this.keyring.seal(provider.tenantId, new Secret(JSON.stringify(headers)), context(provider, origin));
    await db.providerHeaders.create({
      data: { providerId: provider.id, tenantId: provider.tenantId, origin, names, sealed: new Uint8Array(sealed) },
    });
  }

  async drop(providerId: string, db: PrismaExecutor): Promise<void> {
    await db.providerHeaders.deleteMany({ where: { providerId } });
  }

  /** The names of the headers of each of these providers that has any. */
  async names(providerIds: string[], db: PrismaExecutor = this.prisma): Promise<Map<string, string[]>> {
    const rows = await db.providerHeaders.findMany({
      where: { providerId: { in: providerIds } },
      select: { providerId: true, names: true },
    });
    return new Map(rows.map(({ providerId, names }) => [providerId, names]));
  }

  /** Opens the headers of all providers of these owners (null: all), owner by owner. */
  open(owners: readonly string[] | null): AsyncGenerator<[owner: string, headers: ProviderHeaders[]]> {
    return rowsByOwner<Omit<ProviderHeaders, 'headers'> & { sealed: Buffer }, ProviderHeaders>(
      this.pool,
      HEADERS,
      owners,
      async ({ providerId, tenantId, origin, sealed }) => ({
        providerId,
        tenantId,
        origin,
        headers: await this.opened({ id: providerId, tenantId }, origin, sealed),
      }),
    );
  }

  /** The headers of the providers of one owner (null: the platform). */
  async ofOwner(tenantId: string | null): Promise<ProviderHeaders[]> {
    return (await Array.fromAsync(this.open([tenantId ?? PLATFORM]))).flatMap(([, headers]) => headers);
  }

  private async opened(owner: Owner, origin: string, sealed: Uint8Array): Promise<ProviderHeaders['headers']> {
    try {
      const secret = await this.keyring.open(Buffer.from(sealed), context(owner, origin));
      return Object.entries(JSON.parse(secret.reveal()) as Record<string, string>).map(([name, value]) => [name, new Secret(value)]);
    } catch {
      return null;
    }
  }
}

const context = (provider: Owner, origin: string): string => `v1|${provider.tenantId ?? PLATFORM}|${provider.id}|${origin}|headers`;
