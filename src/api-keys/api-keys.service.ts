import { Injectable } from '@nestjs/common';
import { Keyring } from '../platform/crypto/index.js';
import { type PrismaExecutor, ServerClock } from '../platform/postgres/index.js';
import type { ApiKey } from './api-key.js';
import { type AdminKey, ApiKeysRepository, type NewApiKey, type StoredDigest } from './api-keys.repository.js';
import { digestOf, generateKey, type KeyKind, parseKey, sameDigest } from './key-format.js';

@Injectable()
export class ApiKeysService {
  constructor(
    private readonly repository: ApiKeysRepository,
    private readonly keyring: Keyring,
    private readonly clock: ServerClock,
  ) {}

  /** Makes a key; `value` is the only copy of it there will ever be. */
  async create(key: NewApiKey, db?: PrismaExecutor): Promise<{ apiKey: ApiKey; value: string }> {
    const { value, stored } = this.generate('sk');
    return { apiKey: await this.repository.insert(key, stored, db), value };
  }

  find(tenantId: string, projectId: string, id: string): Promise<ApiKey | null> {
    return this.repository.find(tenantId, projectId, id);
  }

  /** A key of whichever project. */
  findInTenant(tenantId: string, id: string): Promise<ApiKey | null> {
    return this.repository.findInTenant(tenantId, id);
  }

  list(tenantId: string, projectId: string): Promise<ApiKey[]> {
    return this.repository.list(tenantId, projectId);
  }

  revoke(tenantId: string, id: string): Promise<void> {
    return this.repository.revoke(tenantId, id);
  }

  /** Makes an admin key for a tenant, or for an operator of the platform (null). Shown once. */
  async createAdminKey(tenantId: string | null, name: string, db?: PrismaExecutor): Promise<string> {
    const { value, stored } = this.generate(tenantId === null ? 'op' : 'adm');
    await this.repository.insertAdminKey(tenantId, name, stored, db);
    return value;
  }

  operatorExists(): Promise<boolean> {
    return this.repository.operatorExists();
  }

  /** Null: unknown, wrong, revoked or expired. Read from Postgres each time: admin calls are few. */
  async verifyAdminKey(presented: string): Promise<AdminKey | null> {
    const parsed = parseKey(presented);
    const key = parsed && parsed.kind !== 'sk' ? await this.repository.findAdminKey(parsed.lookupId) : null;
    if (!key || !sameDigest(digestOf(this.keyring.pepper, presented), key.digest)) return null;
    if (key.tenant?.deletedAt) return null;
    return key.revokedAt === null && (key.expiresAt === null || key.expiresAt.getTime() > this.clock.now()) ? key : null;
  }

  private generate(kind: KeyKind): { value: string; stored: StoredDigest } {
    const { key, lookupId, last4 } = generateKey(kind);
    return { value: key, stored: { lookupId, last4, digest: new Uint8Array(digestOf(this.keyring.pepper, key)) } };
  }
}
