import { Injectable } from '@nestjs/common';
import { Keyring } from '../platform/crypto/index.js';
import type { PrismaExecutor } from '../platform/postgres/index.js';
import type { ApiKey } from './api-key.js';
import { type ApiKeySettings, ApiKeysRepository, type NewApiKey } from './api-keys.repository.js';
import { newKey } from './key-format.js';

@Injectable()
export class ApiKeysService {
  constructor(
    private readonly repository: ApiKeysRepository,
    private readonly keyring: Keyring,
  ) {}

  /** Makes a key; `value` is the only copy of it there will ever be. */
  async create(key: NewApiKey, db?: PrismaExecutor): Promise<{ apiKey: ApiKey; value: string }> {
    const { value, stored } = newKey('sk', this.keyring.pepper);
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

  /** @throws WeirError conflict */
  update(tenantId: string, id: string, changes: Partial<ApiKeySettings>): Promise<void> {
    return this.repository.update(tenantId, id, changes);
  }

  /** @param actor who revokes it, for records. */
  revoke(key: ApiKey, actor: string): Promise<void> {
    return this.repository.revoke(key, actor);
  }

  /** See {@link ApiKeysRepository.tellExpiring} */
  tellExpiring(): Promise<void> {
    return this.repository.tellExpiring();
  }

  /** Gives a key another value, which is shown once; the present one works for so long still. What is set on it stays. @throws WeirError conflict */
  async rotate(tenantId: string, id: string, overlapSeconds: number): Promise<string> {
    const { value, stored } = newKey('sk', this.keyring.pepper);
    await this.repository.rotate(tenantId, id, stored, overlapSeconds);
    return value;
  }
}
