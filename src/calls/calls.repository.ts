import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { WeirError } from '../kernel/errors.js';
import { summedUsage, type UsageSums, usageSums } from '../kernel/usage.js';
import type { CallRecord, CallStatus } from './call.js';

export interface CallFilters {
  projectId?: string;
  apiKeyId?: string;
  /** As the caller asked for it. */
  model?: string;
  status?: CallStatus;
}

/** A part of the calls, by time of admission. `after` and `before` are calls in the given order. */
export interface CallPage {
  after?: string;
  before?: string;
  limit: number;
  order: 'asc' | 'desc';
  filters: CallFilters;
}

type CallRow = Omit<CallRecord, 'usage'> & UsageSums;

const CALL = `c.tenant_id AS "tenantId", c.id, c.admitted_at AS "admittedAt", c.project_id AS "projectId", c.api_key_id AS "apiKeyId", c.surface, c.stream,
  c.requested_model AS "requestedModel", c.served_model AS "servedModel", c.provider, c.lent, c.status, c.http_status AS "httpStatus", c.error_code AS "errorCode",
  c.finish_reason AS "finishReason", c.estimated, c.attempts, c.usage_raw AS "usageRaw", c.first_byte_ms AS "firstByteMs", c.duration_ms AS "durationMs", c.end_user AS "endUser", c.session, coalesce(c.tags, '{}') AS tags, coalesce(c.scopes, '{}') AS scopes, e.*`;

const isPaidByTenant = 'l.lent IS FALSE';
const sumOrNothing = (sum: string) => `CASE WHEN count(*) = 0 THEN 0 ELSE ${sum} END::bigint`;

/** Of all attempts. Entries carry the call's time of admission, so one partition is looked at. No entry: nothing was used. Entries without an amount: unknown. */
const ENTRIES = `LEFT JOIN LATERAL (
  SELECT ${usageSums('l')}, ${sumOrNothing('sum(l.amount)')} AS cost, ${sumOrNothing('sum(l.provider_cost)')} AS "providerCost",
    ${sumOrNothing(`sum(l.provider_cost) FILTER (WHERE ${isPaidByTenant})`)} AS "ownProviderCost"
  FROM ledger_entries l WHERE l.tenant_id = c.tenant_id AND l.call_id = c.id AND l.admitted_at = c.admitted_at
) e ON true`;

/** Reads what the ledger booked. */
@Injectable()
export class CallsRepository {
  constructor(private readonly pool: Pool) {}

  /** Null: no such call of this tenant, or not of this project or key. */
  async find(
    tenantId: string,
    callId: string,
    { projectId, apiKeyId }: Pick<CallFilters, 'projectId' | 'apiKeyId'> = {},
  ): Promise<CallRecord | null> {
    const { rows } = await this.pool.query<CallRow>(
      `SELECT ${CALL} FROM calls c ${ENTRIES}
       WHERE c.tenant_id = $1 AND c.id = $2 AND ($3::uuid IS NULL OR c.project_id = $3) AND ($4::uuid IS NULL OR c.api_key_id = $4)`,
      [tenantId, callId, projectId ?? null, apiKeyId ?? null],
    );
    return rows[0] ? toCall(rows[0]) : null;
  }

  /** A page and whether there is more. @throws WeirError invalid_request when `after` or `before` names no call of the tenant. */
  async list(tenantId: string, { after, before, limit, order, filters }: CallPage): Promise<{ calls: CallRecord[]; hasMore: boolean }> {
    const values: unknown[] = [];
    const value = (given: unknown) => `$${values.push(given)}`;
    const conditions = [`c.tenant_id = ${value(tenantId)}`];
    if (filters.projectId) conditions.push(`c.project_id = ${value(filters.projectId)}`);
    if (filters.apiKeyId) conditions.push(`c.api_key_id = ${value(filters.apiKeyId)}`);
    if (filters.model) conditions.push(`c.requested_model = ${value(filters.model)}`);
    if (filters.status) conditions.push(`c.status = ${value(filters.status)}`);
    const beyond = async (param: 'after' | 'before', id: string, operator: '<' | '>') => {
      const admittedAt = await this.admissionOf(tenantId, param, id);
      conditions.push(`(c.admitted_at, c.id) ${operator} (${value(admittedAt)}::timestamptz, ${value(id)}::uuid)`);
    };
    if (after) await beyond('after', after, order === 'desc' ? '<' : '>');
    if (before) await beyond('before', before, order === 'desc' ? '>' : '<');
    // Only `before`: the page that ends there, read backwards from it.
    const backwards = before !== undefined && after === undefined;
    const direction = (order === 'desc') === backwards ? 'ASC' : 'DESC';
    const { rows } = await this.pool.query<CallRow>(
      `SELECT ${CALL} FROM calls c ${ENTRIES} WHERE ${conditions.join(' AND ')}
       ORDER BY c.admitted_at ${direction}, c.id ${direction} LIMIT ${value(limit + 1)}`,
      values,
    );
    const calls = rows.slice(0, limit).map(toCall);
    return { calls: backwards ? calls.reverse() : calls, hasMore: rows.length > limit };
  }

  /** As text, which keeps the microseconds. */
  private async admissionOf(tenantId: string, param: 'after' | 'before', id: string): Promise<string> {
    const { rows } = await this.pool.query<{ at: string }>('SELECT admitted_at::text AS at FROM calls WHERE tenant_id = $1 AND id = $2', [
      tenantId,
      id,
    ]);
    if (!rows[0])
      throw new WeirError('invalid_request', { param, message: `"${param}" names no call. Use the first_id or last_id of a page.` });
    return rows[0].at;
  }
}

const toCall = (row: CallRow): CallRecord => ({ ...row, usage: summedUsage(row) });
