import { Inject, Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { CONFIG_POOL, type Pool as ConfigPool, type OwnedTable, rowsByOwner } from '../platform/postgres/index.js';
import type { InferenceRoute, NewInferenceRoute } from './inference-route.js';

/** The id of the platform's default. A tenant's route has the id of its tenant. */
const PLATFORM_ROUTE = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

interface Row extends Omit<InferenceRoute, 'local'> {
  localProvider: string | null;
  localModel: string;
  probeSeconds: number;
  localHealthy: boolean;
  localSince: Date;
  localCheckedAt: Date | null;
}

const COLUMNS = `t.tenant_id AS "tenantId", t.provider, t.model, t.timeout_ms AS "timeoutMs", t.local_provider AS "localProvider",
  t.local_model AS "localModel", t.probe_seconds AS "probeSeconds", t.local_healthy AS "localHealthy", t.local_since AS "localSince",
  t.local_checked_at AS "localCheckedAt", t.version, t.updated_at AS "updatedAt"`;

const ROUTES: OwnedTable = { columns: COLUMNS, table: 'inference_routes', key: 'id', where: 't.deleted_at IS NULL', platform: true };

@Injectable()
export class InferenceRoutesRepository {
  constructor(
    private readonly pool: Pool,
    @Inject(CONFIG_POOL) private readonly configPool: ConfigPool,
  ) {}

  async find(tenantId: string | null): Promise<InferenceRoute | null> {
    const { rows } = await this.pool.query<Row>(`SELECT ${COLUMNS} FROM inference_routes t WHERE t.id = $1 AND t.deleted_at IS NULL`, [
      idOf(tenantId),
    ]);
    return rows[0] ? routeOf(rows[0]) : null;
  }

  /** Sets a route, if the one that is there has this version (null: whether there is one or not). Null: it has not. */
  async put({ tenantId, provider, model, timeoutMs, local }: NewInferenceRoute, version: number | null): Promise<InferenceRoute | null> {
    const { rows } = await this.pool.query<Row>(
      `INSERT INTO inference_routes AS t (id, tenant_id, provider, model, timeout_ms, local_provider, local_model, probe_seconds, local_healthy, local_since,
         local_checked_at, updated_at)
       SELECT $1, $2, $3, $4, $5::integer, $6, $7, $8::integer, $9::boolean, n.at, n.at, weir_now()
       FROM (SELECT CASE WHEN $6::text IS NOT NULL THEN weir_now() END AS at) n
       WHERE $10::integer IS NULL OR EXISTS (SELECT FROM inference_routes WHERE id = $1 AND deleted_at IS NULL)
       ON CONFLICT (id) DO UPDATE SET provider = excluded.provider, model = excluded.model, timeout_ms = excluded.timeout_ms,
         local_provider = excluded.local_provider, local_model = excluded.local_model, probe_seconds = excluded.probe_seconds,
         local_healthy = excluded.local_healthy, local_since = excluded.local_since, local_checked_at = excluded.local_checked_at,
         version = t.version + 1, updated_at = excluded.updated_at, deleted_at = NULL
       WHERE $10::integer IS NULL OR (t.version = $10 AND t.deleted_at IS NULL)
       RETURNING ${COLUMNS}`,
      [
        idOf(tenantId),
        tenantId,
        provider,
        model,
        timeoutMs,
        local?.provider ?? null,
        local?.model ?? null,
        local?.probeSeconds ?? null,
        local?.healthy ?? false,
        version,
      ],
    );
    return rows[0] ? routeOf(rows[0]) : null;
  }

  /** Deletes a route if it has this version (null: whatever it has). False: it has another one. */
  async delete(tenantId: string | null, version: number | null): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `UPDATE inference_routes SET deleted_at = weir_now(), version = version + 1
       WHERE id = $1 AND deleted_at IS NULL AND ($2::integer IS NULL OR version = $2)`,
      [idOf(tenantId), version],
    );
    return rowCount === 1;
  }

  /** The platform's default, if its local model is due for a look: one process at a time gets it. */
  async takeDue(): Promise<InferenceRoute | null> {
    const { rows } = await this.pool.query<Row>(
      `UPDATE inference_routes t SET local_checked_at = weir_now()
       WHERE t.id = $1 AND t.deleted_at IS NULL AND t.local_provider IS NOT NULL
         AND (t.local_checked_at IS NULL OR t.local_checked_at <= weir_now() - make_interval(secs => t.probe_seconds))
       RETURNING ${COLUMNS}`,
      [PLATFORM_ROUTE],
    );
    return rows[0] ? routeOf(rows[0]) : null;
  }

  /** What a probe of the local model found. Nothing is noted when the route was changed since. True: it was otherwise before. */
  async noteHealth(version: number, healthy: boolean): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'UPDATE inference_routes SET local_healthy = $3, local_since = weir_now() WHERE id = $1 AND version = $2 AND local_healthy <> $3',
      [PLATFORM_ROUTE, version, healthy],
    );
    return rowCount === 1;
  }

  /** The routes of these owners (null: of all), owner by owner. */
  byOwner(owners: readonly string[] | null): AsyncGenerator<[owner: string, routes: InferenceRoute[]]> {
    return rowsByOwner<Row, InferenceRoute>(this.configPool, ROUTES, owners, routeOf);
  }
}

const idOf = (tenantId: string | null): string => tenantId ?? PLATFORM_ROUTE;

const routeOf = ({ tenantId, provider, model, timeoutMs, version, updatedAt, ...row }: Row): InferenceRoute => ({
  tenantId,
  provider,
  model,
  timeoutMs,
  local:
    row.localProvider === null
      ? null
      : {
          provider: row.localProvider,
          model: row.localModel,
          probeSeconds: row.probeSeconds,
          healthy: row.localHealthy,
          since: row.localSince,
          checkedAt: row.localCheckedAt,
        },
  version,
  updatedAt,
});
