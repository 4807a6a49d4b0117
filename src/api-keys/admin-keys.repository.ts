import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { newId, publicId } from '../kernel/ids.js';
import type { Role } from '../kernel/permissions.js';
import { functionSql, PLATFORM, Prisma, type PrismaExecutor } from '../platform/postgres/index.js';
import type { AdminKey, NewAdminKey } from './admin-key.js';
import type { StoredDigest } from './key-format.js';

/** What a presented key is verified against. */
interface VerifiableAdminKey extends AdminKey {
  lookupId: string;
  digest: Uint8Array;
  previousDigest: Uint8Array | null;
  /** Null: of the platform. */
  tenant: { suspendedAt: Date | null; deletedAt: Date | null } | null;
}

@Injectable()
export class AdminKeysRepository {
  constructor(private readonly prisma: Prisma) {}

  async insert(tenantId: string | null, key: NewAdminKey, stored: StoredDigest, db: PrismaExecutor = this.prisma): Promise<AdminKey> {
    return typed(await db.adminKey.create({ data: { id: newId(), tenantId, ...written(key), ...stored } }));
  }

  /** By the look-up part of its value, or of the one before it was rotated. */
  async findByLookupId(lookupId: string): Promise<VerifiableAdminKey | null> {
    const tenant = { select: { suspendedAt: true, deletedAt: true } };
    const key = await this.prisma.adminKey.findFirst({
      where: { OR: [{ lookupId }, { previousLookupId: lookupId }] },
      include: { tenant },
    });
    return key && typed(key);
  }

  /** Null: no such key of this owner. */
  async find(tenantId: string | null, id: string): Promise<AdminKey | null> {
    const key = await this.prisma.adminKey.findFirst({ where: { id, tenantId } });
    return key && typed(key);
  }

  /** @param projectId null: of all projects, and of none. */
  async list(tenantId: string | null, projectId: string | null): Promise<AdminKey[]> {
    const where = { tenantId, ...(projectId !== null && { projectId }) };
    return (await this.prisma.adminKey.findMany({ where, orderBy: { id: 'desc' } })).map(typed);
  }

  /** @throws WeirError conflict when it is revoked, last_operator_key */
  update(tenantId: string | null, id: string, changes: Partial<NewAdminKey>): Promise<void> {
    return this.prisma.$transaction(async (db) => {
      await lockUsable(db, tenantId);
      if (tenantId === null && changes.expiresAt) await assertOtherOperator(db, id);
      const { count } = await db.adminKey.updateMany({ where: { id, tenantId, revokedAt: null }, data: written(changes) });
      if (count === 0) throw new WeirError('conflict', { message: 'The key is revoked. Make a new one.' });
    });
  }

  async operatorExists(): Promise<boolean> {
    return (await this.prisma.adminKey.findFirst({ where: { tenantId: null, revokedAt: null }, select: { id: true } })) !== null;
  }

  /** Gives a key another value; the present one works for so long still. @throws WeirError conflict when it is revoked. */
  async rotate(tenantId: string | null, id: string, stored: StoredDigest, overlapSeconds: number, actor: string): Promise<void> {
    const changed = await this.prisma.$executeRaw`
      UPDATE admin_keys SET previous_lookup_id = lookup_id, previous_digest = digest, previous_until = now() + make_interval(secs => ${overlapSeconds}::int),
        lookup_id = ${stored.lookupId}, digest = ${stored.digest}, last4 = ${stored.last4}
      WHERE id = ${id}::uuid AND tenant_id IS NOT DISTINCT FROM ${tenantId}::uuid AND revoked_at IS NULL`;
    if (changed === 0) throw new WeirError('conflict', { message: 'The key is revoked. Make a new one.' });
    await this.note('rotated', tenantId, id, actor);
  }

  /** Marks a key revoked; the first time counts. @throws WeirError last_operator_key */
  revoke(tenantId: string | null, id: string, actor: string): Promise<void> {
    return this.prisma.$transaction(async (db) => {
      await lockUsable(db, tenantId);
      if (tenantId === null) await assertOtherOperator(db, id);
      const { count } = await db.adminKey.updateMany({ where: { id, tenantId, revokedAt: null }, data: { revokedAt: new Date() } });
      if (count > 0) await this.note('revoked', tenantId, id, actor, db);
    });
  }

  private async note(what: string, tenantId: string | null, id: string, actor: string, db: PrismaExecutor = this.prisma): Promise<void> {
    await db.$executeRaw`SELECT ${functionSql('emit_event')}(${tenantId ?? PLATFORM}::uuid, ${`admin_key.${what}`}, ${`admin_key.${what}:${newId()}`},
      jsonb_build_object('key', ${publicId('adminKey', id)}::text, 'actor', ${actor}::text))`;
  }
}

/** Of two who end each other's key, one comes second. */
const lockUsable = (db: PrismaExecutor, tenantId: string | null): Promise<number> =>
  db.$executeRaw`SELECT 1 FROM admin_keys WHERE tenant_id IS NOT DISTINCT FROM ${tenantId}::uuid AND revoked_at IS NULL ORDER BY id FOR UPDATE`;

/** @throws WeirError last_operator_key where no other key lasts. */
async function assertOtherOperator(db: PrismaExecutor, id: string): Promise<void> {
  const others = { tenantId: null, id: { not: id }, revokedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: new Date() } }] };
  if ((await db.adminKey.count({ where: others })) === 0) throw new WeirError('last_operator_key');
}

const typed = <Row extends { role: string }>(row: Row): Row & { role: Role } => row as Row & { role: Role };

const written = <Key extends Partial<NewAdminKey>>({ cidrs, ...rest }: Key) => ({ ...rest, ...(cidrs && { cidrs: [...cidrs] }) });
