import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { newId } from '../kernel/ids.js';
import type { Scope } from '../ledger/index.js';
import { inTransaction, sqlFunction } from '../platform/postgres/index.js';
import { assertCapacity, type MaxRules } from './capacity.repository.js';
import type { CountingLimit, Limit } from './limit.js';

export type NewLimit = Omit<Limit, 'id' | 'version' | 'createdAt' | 'metadata'> & { metadata: Record<string, string> };

export type LimitChanges = Partial<Pick<NewLimit, 'requestsPerMinute' | 'tokensPerMinute' | 'concurrency' | 'setBy' | 'metadata'>>;

const LIMIT = `tenant_id AS "tenantId", id, scope_kind AS "scopeKind", scope_value AS "scopeValue", requests_per_minute AS "requestsPerMinute",
  tokens_per_minute::float8 AS "tokensPerMinute", concurrency, set_by AS "setBy", external_id AS "externalId", metadata, version, created_at AS "createdAt"`;

@Injectable()
export class LimitsRepository {
  constructor(private readonly pool: Pool) {}

  /** @throws WeirError too_many */
  insert(limit: NewLimit, max: MaxRules | null): Promise<Limit> {
    const { tenantId, scopeKind, scopeValue, requestsPerMinute, tokensPerMinute, concurrency, setBy, externalId, metadata } = limit;
    return inTransaction(this.pool, async (client) => {
      await assertCapacity(client, 'limits', limit, max);
      const { rows } = await client.query<Limit>(
        `INSERT INTO limits (tenant_id, id, scope_kind, scope_value, requests_per_minute, tokens_per_minute, concurrency, set_by, external_id, metadata, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, weir_now()) RETURNING ${LIMIT}`,
        [tenantId, newId(), scopeKind, scopeValue, requestsPerMinute, tokensPerMinute, concurrency, setBy, externalId, metadata],
      );
      return rows[0]!;
    });
  }

  async find(tenantId: string, id: string): Promise<Limit | null> {
    const { rows } = await this.pool.query<Limit>(`SELECT ${LIMIT} FROM limits WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL`, [
      tenantId,
      id,
    ]);
    return rows[0] ?? null;
  }

  async list(tenantId: string): Promise<Limit[]> {
    const { rows } = await this.pool.query<Limit>(
      `SELECT ${LIMIT} FROM limits WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id DESC`,
      [tenantId],
    );
    return rows;
  }

  /** The limits that count calls of these scopes, with the value each counts them by. */
  async counting(tenantId: string, scopes: readonly Scope[]): Promise<CountingLimit[]> {
    const { rows } = await this.pool.query<Limit & Omit<CountingLimit, 'limit' | 'scopeValue'> & { scopeValueNow: string }>(
      `SELECT ${LIMIT}, value AS "scopeValueNow", coalesce(n.requests_now, 0) AS requests, coalesce(n.tokens_now, 0) AS tokens, coalesce(n.open_now, 0) AS open
       FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS s (kind, value, number)
       JOIN limits l ON l.tenant_id = $1 AND l.scope_kind = s.kind AND l.scope_value IN (s.value, '*') AND l.deleted_at IS NULL
       LEFT JOIN LATERAL (
         SELECT ${sqlFunction('ring_total')}(c.requests, c.second)::float8 AS requests_now, ${sqlFunction('ring_total')}(c.tokens, c.second)::float8 AS tokens_now, c.open AS open_now
         FROM limit_counters c WHERE c.tenant_id = l.tenant_id AND c.limit_id = l.id AND c.scope_value = s.value
       ) n ON true ORDER BY number, id`,
      [tenantId, scopes.map((scope) => scope.kind), scopes.map((scope) => scope.value)],
    );
    return rows.map(({ scopeValueNow: scopeValue, requests, tokens, open, ...limit }) => ({ limit, scopeValue, requests, tokens, open }));
  }

  /** Changes a limit if it still has this version (null: whatever it has). Holds for the next call. Null: it has another version. */
  async update(tenantId: string, id: string, changes: LimitChanges, version: number | null): Promise<Limit | null> {
    const set = (name: keyof LimitChanges) => [changes[name] !== undefined, changes[name] ?? null];
    const { rows } = await this.pool.query<Limit>(
      `UPDATE limits SET requests_per_minute = CASE WHEN $3 THEN $4 ELSE requests_per_minute END,
         tokens_per_minute = CASE WHEN $5 THEN $6 ELSE tokens_per_minute END, concurrency = CASE WHEN $7 THEN $8 ELSE concurrency END,
         metadata = coalesce($9, metadata), set_by = coalesce($11, set_by), version = version + 1
       WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND ($10::integer IS NULL OR version = $10) RETURNING ${LIMIT}`,
      [
        tenantId,
        id,
        ...set('requestsPerMinute'),
        ...set('tokensPerMinute'),
        ...set('concurrency'),
        changes.metadata ?? null,
        version,
        changes.setBy ?? null,
      ],
    );
    return rows[0] ?? null;
  }

  /** Deletes a limit if it still has this version (null: whatever it has). False: it has another version. */
  async delete(tenantId: string, id: string, version: number | null): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'UPDATE limits SET deleted_at = weir_now() WHERE tenant_id = $1 AND id = $2 AND ($3::integer IS NULL OR version = $3)',
      [tenantId, id, version],
    );
    return rowCount === 1;
  }
}
