import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import { isSealedByInstallation, Keyring, MasterKeyMismatch, type Secret } from '../platform/crypto/index.js';
import { CONFIG_POOL, type OwnedTable, PLATFORM, type Pool, Prisma, type PrismaExecutor, rowsByOwner } from '../platform/postgres/index.js';
import type { ProviderRecord } from '../providers/index.js';
import { type CooldownReason, type Credential, type CredentialSummary, isOpen, last4Of, type Opened } from './credential.js';

/** What processes tell each other of: `<credential> <seconds>`, and the model, unless it is all of them. */
export const COOLDOWN = 'cooldown';

/** What a credential is bound to. */
type Binding = Pick<Credential, 'id' | 'tenantId' | 'providerId' | 'origin'>;

const CREDENTIALS: OwnedTable = {
  columns: 't.id, t.tenant_id AS "tenantId", t.provider_id AS "providerId", t.origin, t.sealed',
  table: 'credentials',
  key: 'id',
  where: 'true',
  joined: { joins: 'LEFT JOIN providers provider ON provider.id = t.provider_id', where: 'provider.deleted_at IS NULL' },
  platform: true,
};

@Injectable()
export class CredentialsRepository {
  constructor(
    private readonly prisma: Prisma,
    private readonly keyring: Keyring,
    @Inject(CONFIG_POOL) private readonly pool: Pool,
  ) {}

  /**
   * Seals secrets for a provider at its present origin, replacing what was there.
   * @throws WeirError credential_unavailable when nobody could open them later
   */
  async put(provider: ProviderRecord, secrets: readonly Secret[], db: PrismaExecutor = this.prisma): Promise<void> {
    const fresh = [];
    for (const secret of secrets) fresh.push(await this.sealed(provider, secret));
    await db.credential.deleteMany({ where: { providerId: provider.id } });
    await db.credential.createMany({ data: fresh });
    await expectsKey(db, provider.id, false);
  }

  /** Adds a secret to those a provider has. @throws WeirError credential_unavailable */
  async add(provider: ProviderRecord, secret: Secret, db: PrismaExecutor): Promise<void> {
    await db.credential.create({ data: await this.sealed(provider, secret) });
    await expectsKey(db, provider.id, false);
  }

  /** Destroys one secret of a provider. False: it has no such. */
  async remove(providerId: string, id: string, db: PrismaExecutor): Promise<boolean> {
    return (await db.credential.deleteMany({ where: { id, providerId } })).count > 0;
  }

  /** Destroys the secrets of a provider, which is meant to do without. */
  async drop(providerId: string, db: PrismaExecutor = this.prisma): Promise<void> {
    await db.credential.deleteMany({ where: { providerId } });
    await expectsKey(db, providerId, false);
  }

  /** Destroys the secrets of a provider whose origin changed; one that had any is not called before there is a new one. */
  async dropForOrigin(providerId: string, db: PrismaExecutor): Promise<void> {
    const { count } = await db.credential.deleteMany({ where: { providerId } });
    if (count > 0) await expectsKey(db, providerId, true);
  }

  /** What may be shown of the credentials of these providers, by provider, the oldest first. */
  async summaries(providerIds: string[], db: PrismaExecutor = this.prisma): Promise<Map<string, CredentialSummary[]>> {
    const rows = await db.credential.findMany({
      where: { providerId: { in: providerIds } },
      select: {
        id: true,
        providerId: true,
        last4: true,
        createdAt: true,
        health: { select: { reason: true, restingUntil: true } },
        modelHealth: { select: { model: true, restingUntil: true } },
      },
      orderBy: { id: 'asc' },
    });
    const now = Date.now();
    const summaries = rows.map(({ health, modelHealth, ...row }) => ({
      ...row,
      resting:
        health && health.restingUntil.getTime() > now ? { reason: health.reason as CooldownReason, until: health.restingUntil } : null,
      restingModels: modelHealth
        .filter(({ restingUntil }) => restingUntil.getTime() > now)
        .map(({ model, restingUntil: until }) => ({ model, until })),
    }));
    return Map.groupBy(summaries, ({ providerId }) => providerId);
  }

  /** Notes that a credential rests, unless it is gone or rests longer already, and tells every process. */
  async noteRest(id: string, reason: CooldownReason, seconds: number): Promise<void> {
    await this.pool.query(
      `WITH noted AS (
         INSERT INTO credential_health (credential_id, tenant_id, reason, resting_until)
         SELECT id, tenant_id, $2, now() + make_interval(secs => $3) FROM credentials WHERE id = $1
         ON CONFLICT (credential_id) DO UPDATE SET reason = excluded.reason, resting_until = excluded.resting_until
           WHERE credential_health.resting_until < excluded.resting_until
         RETURNING credential_id
       ) SELECT pg_notify('weir_health', concat_ws(' ', $4::text, credential_id, $3::float8)) FROM noted`,
      [id, reason, seconds, COOLDOWN],
    );
  }

  /** The same for one of the models that it may be used for. What is over for the credential is forgotten. */
  async noteRestOf(id: string, model: string, seconds: number): Promise<void> {
    await this.pool.query(
      `WITH over AS (
         DELETE FROM credential_model_health WHERE credential_id = $1 AND model <> $2 AND resting_until < now()
       ), noted AS (
         INSERT INTO credential_model_health (credential_id, model, tenant_id, resting_until)
         SELECT id, $2, tenant_id, now() + make_interval(secs => $3) FROM credentials WHERE id = $1
         ON CONFLICT (credential_id, model) DO UPDATE SET resting_until = excluded.resting_until
           WHERE credential_model_health.resting_until < excluded.resting_until
         RETURNING credential_id
       ) SELECT pg_notify('weir_health', concat_ws(' ', $4::text, credential_id, $3::float8, $2::text)) FROM noted`,
      [id, model, seconds, COOLDOWN],
    );
  }

  /** The credentials that rest, and for how long. The model is null where it is all of them. */
  async resting(): Promise<{ id: string; seconds: number; model: string | null }[]> {
    const { rows } = await this.pool.query<{ id: string; seconds: number; model: string | null }>(
      `SELECT credential_id AS id, extract(epoch FROM resting_until - now())::float8 AS seconds, model
       FROM (SELECT credential_id, resting_until, NULL AS model FROM credential_health
             UNION ALL SELECT credential_id, resting_until, model FROM credential_model_health) all_rests
       WHERE resting_until > now()`,
    );
    return rows;
  }

  /** Opens every credential of these owners (null: all), owner by owner, the oldest first. */
  open(owners: readonly string[] | null): AsyncGenerator<[owner: string, credentials: Opened[]]> {
    return rowsByOwner<Binding & { sealed: Buffer }, Opened>(
      this.pool,
      CREDENTIALS,
      owners,
      async ({ id, tenantId, providerId, origin, sealed }) => {
        const binding = { id, tenantId, providerId, origin };
        return { ...binding, secret: await this.unseal(binding, sealed).catch(() => null) };
      },
    );
  }

  /** The credentials of one owner (null: the platform) that can be opened. */
  async ofOwner(tenantId: string | null): Promise<Credential[]> {
    const opened = (await Array.fromAsync(this.open([tenantId ?? PLATFORM]))).flatMap(([, credentials]) => credentials);
    return opened.filter(isOpen);
  }

  /** Seals by their owners' keys what is still sealed by the one key that installations had before. Answers how many; safe to repeat. */
  async moveOver(): Promise<number> {
    const rows = await this.prisma.credential.findMany({ orderBy: { id: 'asc' } });
    let moved = 0;
    for (const row of rows.filter(({ sealed }) => isSealedByInstallation(Buffer.from(sealed)))) {
      const secret = await this.unseal(row, Buffer.from(row.sealed)).catch(() => null);
      if (!secret) continue; // reported where it is opened for use
      const sealed = await this.seal(row, secret);
      // Unless it was entered again meanwhile.
      moved += (
        await this.prisma.credential.updateMany({ where: { id: row.id, sealed: row.sealed }, data: { sealed, last4: last4Of(secret) } })
      ).count;
    }
    return moved;
  }

  private async sealed(provider: ProviderRecord, secret: Secret) {
    const binding = { id: newId(), tenantId: provider.tenantId, providerId: provider.id, origin: new URL(provider.baseUrl).origin };
    return { ...binding, sealed: await this.seal(binding, secret), last4: last4Of(secret) };
  }

  private async seal(binding: Binding, secret: Secret): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return new Uint8Array(await this.keyring.seal(binding.tenantId, secret, contextOf(binding)));
    } catch (cause) {
      throw cause instanceof MasterKeyMismatch ? new WeirError('credential_unavailable', { cause }) : cause;
    }
  }

  private unseal(binding: Binding, sealed: Buffer): Promise<Secret> {
    return this.keyring.open(sealed, isSealedByInstallation(sealed) ? installationContextOf(binding) : contextOf(binding));
  }
}

const expectsKey = (db: PrismaExecutor, id: string, awaitsKey: boolean) =>
  db.provider.updateMany({ where: { id, awaitsKey: !awaitsKey }, data: { awaitsKey } });

const contextOf = ({ id, tenantId, providerId, origin }: Binding): string =>
  `v2|${tenantId ?? PLATFORM}|${providerId}|${id}|${origin}|api-key`;

const installationContextOf = ({ tenantId, providerId, origin }: Binding): string =>
  `v1|${tenantId ?? PLATFORM}|${providerId}|${origin}|api-key`;
