import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { newId } from '../kernel/ids.js';
import { CONFIG_POOL, inTransaction, type OwnedTable, type Pool, rowsByOwner } from '../platform/postgres/index.js';
import type { EgressRule } from './egress-rule.js';

export type NewEgressRule = Omit<EgressRule, 'id' | 'version' | 'createdAt'>;

const COLUMNS = `t.tenant_id AS "tenantId", t.id, t.provider, t.origin, t.method, t.path, t.query, t.price_nano AS price, t.set_by AS "setBy",
  t.external_id AS "externalId", t.metadata, t.version, t.created_at AS "createdAt"`;

const RULES: OwnedTable = { columns: COLUMNS, table: 'egress_rules', key: 'id', where: 'true', platform: false };

/** The rules of one tenant, while nobody else changes them. */
interface EgressRules {
  list(): Promise<EgressRule[]>;
  insert(rule: NewEgressRule): Promise<EgressRule>;
  /** Its version rises. */
  replace(id: string, rule: NewEgressRule): Promise<EgressRule>;
}

@Injectable()
export class EgressRulesRepository {
  constructor(@Inject(CONFIG_POOL) private readonly pool: Pool) {}

  /** Work on the rules of a tenant, one after another: each is judged by the others. */
  alone<T>(tenantId: string, work: (rules: EgressRules) => Promise<T>): Promise<T> {
    return inTransaction(this.pool, async (client) => {
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`weir egress rules ${tenantId}`]);
      return work({
        list: () => listOf(client, tenantId),
        insert: async (rule) => {
          const { rows } = await client.query<EgressRule>(
            `INSERT INTO egress_rules AS t (tenant_id, id, provider, origin, method, path, query, price_nano, set_by, external_id, metadata, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, weir_now()) RETURNING ${COLUMNS}`,
            [tenantId, newId(), ...valuesOf(rule)],
          );
          return rows[0]!;
        },
        replace: async (id, rule) => {
          const { rows } = await client.query<EgressRule>(
            `UPDATE egress_rules t SET provider = $3, origin = $4, method = $5, path = $6, query = $7, price_nano = $8, set_by = $9, external_id = $10,
               metadata = $11, version = version + 1
             WHERE tenant_id = $1 AND id = $2 RETURNING ${COLUMNS}`,
            [tenantId, id, ...valuesOf(rule)],
          );
          return rows[0]!;
        },
      });
    });
  }

  /** The rules of a tenant, the latest first. */
  list(tenantId: string): Promise<EgressRule[]> {
    return listOf(this.pool, tenantId);
  }

  /** False: it has another version. */
  async delete(tenantId: string, id: string, version: number | null): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'DELETE FROM egress_rules WHERE tenant_id = $1 AND id = $2 AND ($3::integer IS NULL OR version = $3)',
      [tenantId, id, version],
    );
    return rowCount === 1;
  }

  /** The rules of these tenants (null: of all), tenant by tenant. */
  byOwner(owners: readonly string[] | null): AsyncGenerator<[owner: string, rules: EgressRule[]]> {
    return rowsByOwner<EgressRule, EgressRule>(this.pool, RULES, owners, (rule) => rule);
  }
}

const valuesOf = (rule: NewEgressRule) => [
  rule.provider,
  rule.origin,
  rule.method,
  rule.path,
  rule.query,
  rule.price,
  rule.setBy,
  rule.externalId,
  rule.metadata,
];

async function listOf(db: Pool | PoolClient, tenantId: string): Promise<EgressRule[]> {
  const { rows } = await db.query<EgressRule>(`SELECT ${COLUMNS} FROM egress_rules t WHERE tenant_id = $1 ORDER BY id DESC`, [tenantId]);
  return rows;
}
