import { Inject, Injectable } from '@nestjs/common';
import { newId } from '../kernel/ids.js';
import type { Setter } from '../kernel/setter.js';
import { CONFIG_POOL, type OwnedTable, type Pool, Prisma, type PrismaExecutor, rowsByOwner } from '../platform/postgres/index.js';
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
  setBy: Setter;
  expiresAt: Date | null;
}

export interface StoredDigest {
  lookupId: string;
  digest: Uint8Array<ArrayBuffer>;
  last4: string;
}

/** What verifying a key needs of it. Small: there may be hundreds of thousands in memory. */
export interface UsableKey {
  lookupId: string;
  /** In base64. */
  digest: string;
  id: string;
  tenantId: string;
  projectId: string;
  name: string;
  /** Null: any. */
  models: readonly string[] | null;
  maxOutputTokens: number | null;
  maxCallNano: bigint | null;
  fit: string | null;
  thinkingLevel: string | null;
  unpricedCallNano: bigint | null;
  /** Its tenant is suspended. */
  isSuspended: boolean;
  /** Unix time in ms; infinite: never. */
  expiresAt: number;
}

type UsableRow = Omit<UsableKey, 'tenantId' | 'expiresAt'> & { expiresAt: number | null };

/** Not revoked, of a project and a tenant that are not archived. */
const USABLE: OwnedTable = {
  columns: `t.lookup_id AS "lookupId", encode(t.digest, 'base64') AS digest, t.id, t.project_id AS "projectId", t.name,
    CASE WHEN '*' <> ALL (t.models) THEN t.models END AS models, t.max_output_tokens AS "maxOutputTokens", t.max_call_nano AS "maxCallNano",
    t.fit, t.thinking_level AS "thinkingLevel", tenant.unpriced_call_nano AS "unpricedCallNano",
    tenant.suspended_at IS NOT NULL AS "isSuspended",
    extract(epoch FROM t.expires_at)::float8 * 1000 AS "expiresAt"`,
  from: `api_keys t JOIN projects project ON project.tenant_id = t.tenant_id AND project.id = t.project_id JOIN tenants tenant ON tenant.id = t.tenant_id`,
  key: 'id',
  where: 't.revoked_at IS NULL AND project.archived_at IS NULL AND tenant.archived_at IS NULL AND tenant.deleted_at IS NULL',
  platform: false,
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
  constructor(
    private readonly prisma: Prisma,
    @Inject(CONFIG_POOL) private readonly pool: Pool,
  ) {}

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

  /** Keys that may be used, of these tenants or of all (null), tenant by tenant. */
  usable(tenantIds: string[] | null): AsyncGenerator<[tenantId: string, keys: UsableKey[]]> {
    // Text that many keys have in common is kept once.
    let owner = '';
    let shared = new Map<string, string>();
    return rowsByOwner<UsableRow, UsableKey>(this.pool, USABLE, tenantIds, (row) => {
      if (row.owner !== owner) {
        owner = row.owner;
        shared = new Map();
      }
      const once = <T extends string | null>(text: T): T => {
        if (text !== null && !shared.has(text)) shared.set(text, text);
        return (text && shared.get(text)) as T;
      };
      return {
        lookupId: row.lookupId,
        digest: row.digest,
        id: row.id,
        tenantId: owner,
        projectId: once(row.projectId),
        name: once(row.name),
        models: row.models,
        maxOutputTokens: row.maxOutputTokens,
        maxCallNano: row.maxCallNano,
        fit: once(row.fit),
        thinkingLevel: once(row.thinkingLevel),
        unpricedCallNano: row.unpricedCallNano,
        isSuspended: row.isSuspended,
        expiresAt: row.expiresAt ?? Number.POSITIVE_INFINITY,
      };
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
