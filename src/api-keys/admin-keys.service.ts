import { Injectable } from '@nestjs/common';
import type { AdminCaller } from '../kernel/admin-caller.js';
import { WeirError } from '../kernel/errors.js';
import { Keyring } from '../platform/crypto/index.js';
import { Networks } from '../platform/listener/index.js';
import { type PrismaExecutor, ServerClock } from '../platform/postgres/index.js';
import type { AdminKey, NewAdminKey } from './admin-key.js';
import { AdminKeysRepository } from './admin-keys.repository.js';
import { digestOf, newKey, parseKey, sameDigest } from './key-format.js';

@Injectable()
export class AdminKeysService {
  constructor(
    private readonly repository: AdminKeysRepository,
    private readonly keyring: Keyring,
    private readonly clock: ServerClock,
  ) {}

  /** Makes a key for a tenant, or for an operator of the platform (null). `value` is the only copy of it there will ever be. */
  async create(tenantId: string | null, key: NewAdminKey, db?: PrismaExecutor): Promise<{ adminKey: AdminKey; value: string }> {
    const { value, stored } = newKey(tenantId === null ? 'op' : 'adm', this.keyring.pepper);
    return { adminKey: await this.repository.insert(tenantId, key, stored, db), value };
  }

  /** Gives a key another value, which is shown once; the present one works for so long still. @throws WeirError conflict */
  async rotate(tenantId: string | null, id: string, overlapSeconds: number, actor: string): Promise<string> {
    const { value, stored } = newKey(tenantId === null ? 'op' : 'adm', this.keyring.pepper);
    await this.repository.rotate(tenantId, id, stored, overlapSeconds, actor);
    return value;
  }

  /** @throws WeirError last_operator_key */
  revoke(tenantId: string | null, id: string, actor: string): Promise<void> {
    return this.repository.revoke(tenantId, id, actor);
  }

  find(tenantId: string | null, id: string): Promise<AdminKey | null> {
    return this.repository.find(tenantId, id);
  }

  /** @param projectId null: of all projects, and of none. */
  list(tenantId: string | null, projectId: string | null): Promise<AdminKey[]> {
    return this.repository.list(tenantId, projectId);
  }

  /** @throws WeirError conflict, last_operator_key */
  update(tenantId: string | null, id: string, changes: Partial<NewAdminKey>): Promise<void> {
    return this.repository.update(tenantId, id, changes);
  }

  operatorExists(): Promise<boolean> {
    return this.repository.operatorExists();
  }

  /**
   * Null: unknown, wrong, revoked or expired. Read from Postgres each time: admin calls are few.
   * @param address where it comes from. @throws WeirError address_not_allowed
   */
  async verify(presented: string, address: string): Promise<AdminCaller | null> {
    const parsed = parseKey(presented);
    const key = parsed && parsed.kind !== 'sk' ? await this.repository.findByLookupId(parsed.lookupId) : null;
    if (!key) return null;
    const isCurrent = key.lookupId === parsed!.lookupId;
    const digest = isCurrent ? key.digest : key.previousDigest;
    if (!digest || !sameDigest(digestOf(this.keyring.pepper, presented), digest)) return null;
    const ends = [key.expiresAt, isCurrent ? null : key.previousUntil].filter((end) => end !== null);
    const isUsable = key.revokedAt === null && !key.tenant?.deletedAt && ends.every((end) => end.getTime() > this.clock.now());
    if (!isUsable) return null;
    const { id, tenantId, role, projectId, cidrs, expiresAt } = key;
    if (!cidrs.includes('*') && !new Networks(cidrs).hold(address)) throw new WeirError('address_not_allowed');
    if (tenantId === null) return { kind: 'operator', by: 'key', id, tenantId, cidrs, expiresAt };
    return { kind: 'admin_key', id, tenantId, role, projectId, cidrs, expiresAt, isSuspended: key.tenant?.suspendedAt != null };
  }
}
