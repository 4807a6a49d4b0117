import { Injectable } from '@nestjs/common';
import { newId } from '../kernel/ids.js';
import { Prisma, type PrismaExecutor } from '../platform/postgres/index.js';
import type { ApiKey } from './api-key.js';

export interface NewApiKey {
  tenantId: string;
  projectId: string;
  name: string;
  models: readonly string[];
  maxOutputTokens: number | null;
  maxCallNano: bigint | null;
  fit: string | null;
  thinkingLevel: string | null;
  createdBy: string;
  expiresAt: Date | null;
}

export interface StoredDigest {
  lookupId: string;
  digest: Uint8Array<ArrayBuffer>;
  last4: string;
}

export type VerifiableKey = ApiKey & {
  lookupId: string;
  digest: Uint8Array;
  project: { tenant: { unpricedCallNano: bigint | null; suspendedAt: Date | null } };
};

export interface AdminKey {
  id: string;
  /** Null: an operator of the platform. */
  tenantId: string | null;
  name: string;
  digest: Uint8Array;
  expiresAt: Date | null;
  revokedAt: Date | null;
  /** Null: of the platform. */
  tenant: { suspendedAt: Date | null; deletedAt: Date | null } | null;
}

@Injectable()
export class ApiKeysRepository {
  constructor(private readonly prisma: Prisma) {}

  insert(key: NewApiKey, stored: StoredDigest, db: PrismaExecutor = this.prisma): Promise<ApiKey> {
    return db.apiKey.create({ data: { id: newId(), ...key, models: [...key.models], ...stored } });
  }

  find(tenantId: string, projectId: string, id: string): Promise<ApiKey | null> {
    return this.prisma.apiKey.findFirst({ where: { tenantId, projectId, id } });
  }

  findInTenant(tenantId: string, id: string): Promise<ApiKey | null> {
    return this.prisma.apiKey.findFirst({ where: { tenantId, id } });
  }

  list(tenantId: string, projectId: string): Promise<ApiKey[]> {
    return this.prisma.apiKey.findMany({ where: { tenantId, projectId }, orderBy: { id: 'desc' } });
  }

  /** Marks a key revoked; the first time stands. */
  async revoke(tenantId: string, id: string): Promise<void> {
    await this.prisma.apiKey.updateMany({ where: { tenantId, id, revokedAt: null }, data: { revokedAt: new Date() } });
  }

  /** Keys that may be used, of these tenants or of all (null): not revoked, of a project and tenant that are not archived. */
  usable(tenantIds: string[] | null): Promise<VerifiableKey[]> {
    return this.prisma.apiKey.findMany({
      where: {
        ...(tenantIds && { tenantId: { in: tenantIds } }),
        revokedAt: null,
        project: { archivedAt: null, tenant: { archivedAt: null, deletedAt: null } },
      },
      include: { project: { select: { tenant: { select: { unpricedCallNano: true, suspendedAt: true } } } } },
    });
  }

  async insertAdminKey(tenantId: string | null, name: string, stored: StoredDigest, db: PrismaExecutor = this.prisma): Promise<string> {
    const { id } = await db.adminKey.create({ data: { id: newId(), tenantId, name, ...stored } });
    return id;
  }

  findAdminKey(lookupId: string): Promise<AdminKey | null> {
    const tenant = { select: { suspendedAt: true, deletedAt: true } };
    return this.prisma.adminKey.findFirst({ where: { lookupId }, include: { tenant } });
  }

  async operatorExists(): Promise<boolean> {
    return (await this.prisma.adminKey.findFirst({ where: { tenantId: null, revokedAt: null }, select: { id: true } })) !== null;
  }
}
