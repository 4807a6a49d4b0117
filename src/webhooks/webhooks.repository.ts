import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import { Keyring, Secret } from '../platform/crypto/index.js';
import { CONFIG_POOL, inTransaction, PLATFORM, type Pool } from '../platform/postgres/index.js';
import type { Webhook, WebhookTarget } from './webhook.js';

export type NewWebhook = Omit<Webhook, 'id' | 'createdAt'>;

/** What of a webhook can change; the format cannot. */
type WebhookChanges = Partial<Pick<Webhook, 'name' | 'address' | 'types' | 'tenantEvents' | 'disabledBy' | 'metadata'>>;

const COLUMNS = `w.id, w.tenant_id AS "tenantId", w.name, w.format, w.address, w.types, w.tenant_events AS "tenantEvents",
  w.disabled_by AS "disabledBy", w.metadata, w.created_at AS "createdAt"`;

/** The columns of what can change. */
const COLUMN_OF: Readonly<Record<string, string>> = {
  name: 'name',
  address: 'address',
  types: 'types',
  tenantEvents: 'tenant_events',
  disabledBy: 'disabled_by',
  metadata: 'metadata',
  sealed: 'sealed',
};

/** A target as it is sealed. */
interface Sealed {
  to: string;
  secrets: { secret: string; until: number | null }[];
}

@Injectable()
export class WebhooksRepository {
  constructor(
    private readonly keyring: Keyring,
    @Inject(CONFIG_POOL) private readonly pool: Pool,
  ) {}

  /** @param max how many the owner may have. Null: it has as many. */
  async insert(webhook: NewWebhook, target: WebhookTarget, max: number): Promise<Webhook | null> {
    const { tenantId, name, format, address, types, tenantEvents, disabledBy, metadata } = webhook;
    const id = newId();
    const sealed = await this.seal({ id, tenantId }, target);
    return inTransaction(this.pool, async (client) => {
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`weir webhooks ${tenantId ?? PLATFORM}`]);
      const { rows: others } = await client.query('SELECT FROM webhooks WHERE tenant_id IS NOT DISTINCT FROM $1', [tenantId]);
      if (others.length >= max) return null;
      const { rows } = await client.query<Webhook>(
        `INSERT INTO webhooks AS w (id, tenant_id, name, format, address, sealed, types, tenant_events, disabled_by, metadata)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING ${COLUMNS}`,
        [id, tenantId, name, format, address, sealed, types, tenantEvents, disabledBy, metadata],
      );
      return rows[0]!;
    });
  }

  /** The webhooks of an owner, a tenant or the platform (null). */
  async list(tenantId: string | null): Promise<Webhook[]> {
    return (await this.pool.query<Webhook>(`SELECT ${COLUMNS} FROM webhooks w WHERE tenant_id IS NOT DISTINCT FROM $1`, [tenantId])).rows;
  }

  /** Null: no such webhook of this owner. */
  async find(tenantId: string | null, id: string): Promise<Webhook | null> {
    const { rows } = await this.pool.query<Webhook>(
      `SELECT ${COLUMNS} FROM webhooks w WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2`,
      [tenantId, id],
    );
    return rows[0] ?? null;
  }

  /**
   * Changes a webhook, and gives up what is pending of one that is disabled.
   * @param retarget makes the new target of the present one; null: it stays. Null: no such webhook of this owner.
   * @throws WeirError conflict when somebody else changed the target meanwhile.
   */
  async update(
    tenantId: string | null,
    id: string,
    changes: WebhookChanges,
    retarget: ((target: WebhookTarget) => WebhookTarget) | null,
  ): Promise<Webhook | null> {
    const { rows: found } = await this.pool.query<{ sealed: Buffer }>(
      'SELECT sealed FROM webhooks WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2',
      [tenantId, id],
    );
    const before = found[0]?.sealed;
    if (!before) return null;
    const sealed = retarget ? await this.seal({ id, tenantId }, retarget(await this.open({ id, tenantId }, before))) : before;
    const fields = Object.entries({ ...changes, ...(retarget && { sealed }) });
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<Webhook>(
        `UPDATE webhooks w SET ${fields.map(([field], index) => `${COLUMN_OF[field]} = $${index + 3}`).join(', ')}
         WHERE id = $1 AND ($2::bytea IS NULL OR sealed = $2) RETURNING ${COLUMNS}`,
        [id, retarget && before, ...fields.map(([, value]) => value)],
      );
      if (!rows[0]) throw new WeirError('conflict');
      if (rows[0].disabledBy !== null) await giveUpPending(client, id);
      return rows[0];
    });
  }

  /** Disables a webhook whose receiver is gone, and gives up what is pending of it. */
  disable(id: string): Promise<void> {
    return inTransaction(this.pool, async (client) => {
      await client.query(`UPDATE webhooks SET disabled_by = 'receiver' WHERE id = $1 AND disabled_by IS NULL`, [id]);
      await giveUpPending(client, id);
    });
  }

  /** False: no such webhook of this owner. Its deliveries go with it. */
  async delete(tenantId: string | null, id: string): Promise<boolean> {
    const { rowCount } = await this.pool.query('DELETE FROM webhooks WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2', [tenantId, id]);
    return rowCount === 1;
  }

  private seal({ id, tenantId }: Pick<Webhook, 'id' | 'tenantId'>, { to, secrets }: WebhookTarget): Promise<Buffer> {
    const plain: Sealed = { to, secrets: secrets.map(({ secret, until }) => ({ secret: secret.reveal(), until })) };
    return this.keyring.seal(tenantId, new Secret(JSON.stringify(plain)), contextOf(tenantId, id));
  }

  /** @throws when it was sealed for another webhook, or no master key here opens it. */
  async open({ id, tenantId }: Pick<Webhook, 'id' | 'tenantId'>, sealed: Buffer): Promise<WebhookTarget> {
    const { to, secrets } = JSON.parse((await this.keyring.open(sealed, contextOf(tenantId, id))).reveal()) as Sealed;
    return { to, secrets: secrets.map(({ secret, until }) => ({ secret: new Secret(secret), until })) };
  }
}

const contextOf = (tenantId: string | null, id: string): string => `v1|${tenantId ?? PLATFORM}|webhook|${id}`;

async function giveUpPending(client: PoolClient, webhookId: string): Promise<void> {
  await client.query(`UPDATE webhook_deliveries SET state = 'dead', ended_at = weir_now() WHERE webhook_id = $1 AND state = 'pending'`, [
    webhookId,
  ]);
}
