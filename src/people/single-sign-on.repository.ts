import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import { CONFIG_POOL, inTransaction, type Pool } from '../platform/postgres/index.js';
import { note } from './events.repository.js';
import type { SingleSignOn } from './single-sign-on.js';

const SSO = `o.tenant_id AS "tenantId", o.issuer, o.client_id AS "clientId", o.client_secret AS "clientSecret", o.allowed_domains AS "allowedDomains",
  o.role_claim AS "roleClaim", o.roles, o.default_role AS "defaultRole", o.creates_people AS "createsPeople", o.required, o.version,
  o.updated_at AS "updatedAt"`;

@Injectable()
export class SingleSignOnRepository {
  constructor(@Inject(CONFIG_POOL) private readonly pool: Pool) {}

  async find(tenantId: Id): Promise<SingleSignOn | null> {
    const { rows } = await this.pool.query<SingleSignOn>(
      `SELECT ${SSO} FROM single_sign_on o WHERE o.tenant_id = $1 AND o.deleted_at IS NULL`,
      [tenantId],
    );
    return rows[0] ?? null;
  }

  /** Of a tenant whose people may sign in. */
  async findForSignIn(tenantId: Id): Promise<SingleSignOn | null> {
    const { rows } = await this.pool.query<SingleSignOn>(
      `SELECT ${SSO} FROM single_sign_on o JOIN tenants t ON t.id = o.tenant_id WHERE o.tenant_id = $1 AND o.deleted_at IS NULL AND t.deleted_at IS NULL`,
      [tenantId],
    );
    return rows[0] ?? null;
  }

  /** @param version of what is replaced; null: any. @throws WeirError precondition_failed */
  put(sso: Omit<SingleSignOn, 'version' | 'updatedAt'>, version: number | null, actor: string): Promise<void> {
    return inTransaction(this.pool, async (client) => {
      const { rowCount } = await client.query(
        `INSERT INTO single_sign_on AS o (tenant_id, issuer, client_id, client_secret, allowed_domains, role_claim, roles, default_role, creates_people, required,
           updated_at)
         SELECT $1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, weir_now()
         WHERE $11::int IS NULL OR EXISTS (SELECT FROM single_sign_on s WHERE s.tenant_id = $1 AND s.deleted_at IS NULL AND s.version = $11)
         ON CONFLICT (tenant_id) DO UPDATE SET issuer = excluded.issuer, client_id = excluded.client_id, client_secret = excluded.client_secret,
           allowed_domains = excluded.allowed_domains, role_claim = excluded.role_claim, roles = excluded.roles, default_role = excluded.default_role,
           creates_people = excluded.creates_people, required = excluded.required, updated_at = excluded.updated_at, version = o.version + 1,
           deleted_at = NULL
         WHERE $11::int IS NULL OR (o.deleted_at IS NULL AND o.version = $11)`,
        [
          sso.tenantId,
          sso.issuer,
          sso.clientId,
          sso.clientSecret,
          sso.allowedDomains,
          sso.roleClaim,
          sso.roles,
          sso.defaultRole,
          sso.createsPeople,
          sso.required,
          version,
        ],
      );
      if (rowCount === 0) throw new WeirError('precondition_failed');
      await note(client, 'single_sign_on.changed', sso.tenantId, { issuer: sso.issuer, required: sso.required, actor });
    });
  }

  /** True once per sign-in, also of several processes. Noted as an event, which outlives the sign-in and goes to no webhook. @param state what the sign-in is known by. */
  async use(tenantId: Id, state: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `INSERT INTO outbox (tenant_id, kind, dedupe_key, payload, delivered_at)
       VALUES ($1, 'single_sign_on.used', 'single_sign_on.used:' || $2, '{}', weir_now()) ON CONFLICT (dedupe_key) DO NOTHING`,
      [tenantId, state],
    );
    return rowCount === 1;
  }

  /** False: there is none. @throws WeirError precondition_failed */
  delete(tenantId: Id, version: number | null, actor: string): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ version: number }>(
        'SELECT version FROM single_sign_on WHERE tenant_id = $1 AND deleted_at IS NULL FOR UPDATE',
        [tenantId],
      );
      if (!rows[0]) return false;
      if (version !== null && rows[0].version !== version) throw new WeirError('precondition_failed');
      await client.query(
        `UPDATE single_sign_on SET deleted_at = weir_now(), version = version + 1, required = false, client_secret = NULL WHERE tenant_id = $1`,
        [tenantId],
      );
      await note(client, 'single_sign_on.removed', tenantId, { actor });
      return true;
    });
  }
}
