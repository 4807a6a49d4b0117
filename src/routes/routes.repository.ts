import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { newId } from '../kernel/ids.js';
import { CONFIG_POOL, inTransaction, type OwnedTable, PLATFORM, type Pool, rowsByOwner } from '../platform/postgres/index.js';
import type { Route } from './route.js';

export type NewRoute = Omit<Route, 'id' | 'version' | 'createdAt'>;

const COLUMNS = `t.id, t.tenant_id AS "tenantId", t.name, jsonb_build_object('kind', t.match_kind, 'value', t.match_value) AS match, t.targets, t.strategy,
  t.retries, t.attempts, t.deadline_ms AS "deadlineMs", t.fallback_on AS "fallbackOn", t.condition AS "when", t.set_by AS "setBy",
  t.external_id AS "externalId", t.metadata, t.version, t.created_at AS "createdAt"`;

const ROUTES: OwnedTable = { columns: COLUMNS, table: 'routes', key: 'id', where: 'true', platform: true };

/** The routes of one owner, a tenant or the platform (null), while nobody else changes them. */
export interface Routes {
  list(): Promise<Route[]>;
  insert(route: NewRoute): Promise<Route>;
  /** Its version rises. */
  replace(id: string, route: NewRoute): Promise<Route>;
}

@Injectable()
export class RoutesRepository {
  constructor(@Inject(CONFIG_POOL) private readonly pool: Pool) {}

  /** Work on the routes of an owner, one after another: each is judged by the others. */
  alone<T>(tenantId: string | null, work: (routes: Routes) => Promise<T>): Promise<T> {
    return inTransaction(this.pool, async (client) => {
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`weir routes ${tenantId ?? PLATFORM}`]);
      return work({
        list: () => listOf(client, tenantId),
        insert: async (route) => {
          const { rows } = await client.query<Route>(
            `INSERT INTO routes AS t (tenant_id, id, name, match_kind, match_value, targets, strategy, retries, attempts, deadline_ms, fallback_on, condition,
               set_by, external_id, metadata, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, weir_now()) RETURNING ${COLUMNS}`,
            [tenantId, newId(), ...valuesOf(route)],
          );
          return rows[0]!;
        },
        replace: async (id, route) => {
          const { rows } = await client.query<Route>(
            `UPDATE routes t SET name = $3, match_kind = $4, match_value = $5, targets = $6, strategy = $7, retries = $8, attempts = $9, deadline_ms = $10,
               fallback_on = $11, condition = $12, set_by = $13, external_id = $14, metadata = $15, version = version + 1
             WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2 RETURNING ${COLUMNS}`,
            [tenantId, id, ...valuesOf(route)],
          );
          return rows[0]!;
        },
      });
    });
  }

  /** The routes of an owner, the latest first. */
  list(tenantId: string | null): Promise<Route[]> {
    return listOf(this.pool, tenantId);
  }

  /** Null: no such route of this owner. */
  async find(tenantId: string | null, id: string): Promise<Route | null> {
    return (await this.list(tenantId)).find((route) => route.id === id) ?? null;
  }

  /** False: it has another version. */
  async delete(tenantId: string | null, id: string, version: number | null): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'DELETE FROM routes WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2 AND ($3::integer IS NULL OR version = $3)',
      [tenantId, id, version],
    );
    return rowCount === 1;
  }

  /** The routes of these owners (null: of all), owner by owner. */
  byOwner(owners: readonly string[] | null): AsyncGenerator<[owner: string, routes: Route[]]> {
    return rowsByOwner<Route, Route>(this.pool, ROUTES, owners, (route) => route);
  }
}

async function listOf(db: Pool | PoolClient, tenantId: string | null): Promise<Route[]> {
  const { rows } = await db.query<Route>(`SELECT ${COLUMNS} FROM routes t WHERE tenant_id IS NOT DISTINCT FROM $1 ORDER BY id DESC`, [
    tenantId,
  ]);
  return rows;
}

const valuesOf = (route: NewRoute): unknown[] => [
  route.name,
  route.match.kind,
  route.match.value,
  JSON.stringify(route.targets),
  route.strategy,
  route.retries,
  route.attempts,
  route.deadlineMs,
  route.fallbackOn,
  route.when && JSON.stringify(route.when),
  route.setBy,
  route.externalId,
  route.metadata,
];
