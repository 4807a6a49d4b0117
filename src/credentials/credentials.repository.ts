import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import { Keyring, MasterKeyMismatch, type Secret } from '../platform/crypto/index.js';
import { outsideTenantScope, PLATFORM, Prisma, type PrismaExecutor } from '../platform/postgres/index.js';
import type { ProviderRecord } from '../providers/index.js';

/** What a provider is shown: sealed at rest, bound to its owner, provider and origin. */
export interface Credential {
  id: string;
  providerId: string;
  /** The only one it may be shown to. */
  origin: string;
  secret: Secret;
}

/** A credential that is there and cannot be opened. */
export interface Unreadable {
  id: string;
  providerId: string;
  tenantId: string | null;
}

type Owner = Pick<ProviderRecord, 'id' | 'tenantId'>;

@Injectable()
export class CredentialsRepository {
  constructor(
    private readonly prisma: Prisma,
    private readonly keyring: Keyring,
  ) {}

  /**
   * Seals a secret for a provider at its present origin, replacing what was there.
   * @throws WeirError credential_unavailable when nobody could open it later
   */
  async put(provider: ProviderRecord, secret: Secret, db: PrismaExecutor = this.prisma): Promise<void> {
    await outsideTenantScope(() => this.keyring.verify()).catch((cause) => {
      throw cause instanceof MasterKeyMismatch ? new WeirError('credential_unavailable', { cause }) : cause;
    });
    const { origin } = new URL(provider.baseUrl);
    const data = {
      id: newId(),
      tenantId: provider.tenantId,
      origin,
      sealed: new Uint8Array(this.keyring.seal(secret, context(provider, origin))),
    };
    await db.credential.deleteMany({ where: { providerId: provider.id } });
    await db.credential.create({ data: { ...data, providerId: provider.id } });
  }

  /** Destroys the secret of a provider, e.g. when its origin changes. */
  async drop(providerId: string, db: PrismaExecutor = this.prisma): Promise<void> {
    await db.credential.deleteMany({ where: { providerId } });
  }

  /** Which of these providers have a credential. */
  async present(providerIds: string[]): Promise<Set<string>> {
    const rows = await this.prisma.credential.findMany({ where: { providerId: { in: providerIds } }, select: { providerId: true } });
    return new Set(rows.map((row) => row.providerId));
  }

  /** Opens every credential of these owners (null: all). One that cannot be opened is reported and left out. */
  async open(
    tenantIds: (string | null)[] | null,
    unreadable: (row: Unreadable) => void,
  ): Promise<(Credential & { tenantId: string | null })[]> {
    const owners = tenantIds && {
      OR: [{ tenantId: { in: tenantIds.filter((id) => id !== null) } }, ...(tenantIds.includes(null) ? [{ tenantId: null }] : [])],
    };
    const rows = await this.prisma.credential.findMany({ where: { ...owners, provider: { deletedAt: null } } });
    return rows.flatMap((row) => {
      try {
        const secret = this.keyring.open(Buffer.from(row.sealed), context({ id: row.providerId, tenantId: row.tenantId }, row.origin));
        return [{ id: row.id, tenantId: row.tenantId, providerId: row.providerId, origin: row.origin, secret }];
      } catch {
        unreadable(row);
        return [];
      }
    });
  }
}

const context = (provider: Owner, origin: string): string => `v1|${provider.tenantId ?? PLATFORM}|${provider.id}|${origin}|api-key`;
