import { Inject, Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import { CONFIG_POOL, type Pool as ConfigPool, inTransaction, type OwnedTable, rowsByOwner } from '../platform/postgres/index.js';
import type { NetworkBinding, NewNetworkBinding } from './network-binding.js';

const BINDING = `tenant_id AS "tenantId", id, project_id AS "projectId", kind, value, created_by AS "createdBy", created_at AS "createdAt"`;

/** Each is kept in the memory of every process. */
const MAX_CERTIFICATES = 1_000;

/** What a call without a key needs to know of its binding. */
export interface UsableBinding extends Pick<NetworkBinding, 'tenantId' | 'id' | 'projectId' | 'kind' | 'value'> {
  unpricedCallNano: bigint | null;
  /** Sessions of its project may have defaults. */
  hasSessions: boolean;
  keepsAnswers: boolean;
  isSuspended: boolean;
}

/** Of a project and a tenant that are not archived. */
const USABLE: OwnedTable = {
  columns: `t.tenant_id AS "tenantId", t.id, t.project_id AS "projectId", t.kind, t.value, tenant.unpriced_call_nano AS "unpricedCallNano",
    project.has_sessions AS "hasSessions", tenant.keeps_answers AS "keepsAnswers", tenant.suspended_at IS NOT NULL AS "isSuspended"`,
  table: 'network_bindings',
  key: 'id',
  where: 'true',
  joined: {
    joins: `LEFT JOIN projects project ON project.tenant_id = t.tenant_id AND project.id = t.project_id
      LEFT JOIN tenants tenant ON tenant.id = t.tenant_id`,
    where: 'project.archived_at IS NULL AND tenant.archived_at IS NULL AND tenant.deleted_at IS NULL',
  },
  platform: false,
};

@Injectable()
export class NetworkBindingsRepository {
  constructor(
    private readonly pool: Pool,
    @Inject(CONFIG_POOL) private readonly configPool: ConfigPool,
  ) {}

  /** @throws WeirError conflict when the identity is bound already, too_many */
  insert({ tenantId, projectId, kind, value, createdBy }: NewNetworkBinding): Promise<NetworkBinding> {
    return inTransaction(this.pool, async (client) => {
      // One after the other: two ranges that overlap must not be saved at once.
      await client.query("SELECT pg_advisory_xact_lock(hashtext('weir network bindings'))");
      if (kind === 'cidr') {
        const { rows } = await client.query<{ value: string }>(
          `SELECT value FROM network_bindings WHERE tenant_id <> $1 AND CASE WHEN kind = 'cidr' THEN value::inet && $2::inet END ORDER BY value LIMIT 1`,
          [tenantId, value],
        );
        if (rows[0])
          throw conflict(`"${value}" overlaps "${rows[0].value}", which is bound to another tenant. Bind ranges that do not overlap.`);
      }
      if (kind === 'client_certificate') {
        const { rows } = await client.query<{ count: number }>(
          'SELECT count(*)::int AS count FROM network_bindings WHERE tenant_id = $1 AND kind = $2',
          [tenantId, kind],
        );
        if (rows[0]!.count >= MAX_CERTIFICATES) throw new WeirError('too_many');
      }
      const { rows } = await client.query<NetworkBinding>(
        `INSERT INTO network_bindings (tenant_id, id, project_id, kind, value, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, weir_now())
         ON CONFLICT DO NOTHING RETURNING ${BINDING}`,
        [tenantId, newId(), projectId, kind, value, createdBy],
      );
      if (!rows[0]) throw conflict(`"${value}" is bound already, by this tenant or another one. Delete that binding first.`);
      return rows[0];
    });
  }

  /** Null: no such binding of this tenant. */
  async find(tenantId: string, id: string): Promise<NetworkBinding | null> {
    const { rows } = await this.pool.query<NetworkBinding>(`SELECT ${BINDING} FROM network_bindings WHERE tenant_id = $1 AND id = $2`, [
      tenantId,
      id,
    ]);
    return rows[0] ?? null;
  }

  async list(tenantId: string): Promise<NetworkBinding[]> {
    const { rows } = await this.pool.query<NetworkBinding>(
      `SELECT ${BINDING} FROM network_bindings WHERE tenant_id = $1 ORDER BY id DESC`,
      [tenantId],
    );
    return rows;
  }

  async delete(tenantId: string, id: string): Promise<void> {
    await this.pool.query('DELETE FROM network_bindings WHERE tenant_id = $1 AND id = $2', [tenantId, id]);
  }

  /** Bindings that may be used, of these tenants or of all (null), tenant by tenant. */
  usable(tenantIds: readonly string[] | null): AsyncGenerator<[tenantId: string, bindings: UsableBinding[]]> {
    return rowsByOwner<UsableBinding, UsableBinding>(this.configPool, USABLE, tenantIds, (binding) => binding);
  }
}

const conflict = (message: string): WeirError => new WeirError('conflict', { param: 'value', message });
