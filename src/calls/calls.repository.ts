import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { WeirError } from '../kernel/errors.js';
import type { Setter } from '../kernel/setter.js';
import { summedUsage, type UsageSums, usageSums } from '../kernel/usage.js';
import type { CallRecord, CallStatus } from './call.js';
import { BUCKET_WIDTHS, type BucketPage, bucketSpans, type CostSum, type Group, type SumQuery, type UsageSum } from './usage.js';

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

type UsageRow = Group & UsageSums & { requests: bigint };

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

const GROUP_COLUMNS = {
  project_id: ['l.project_id', 'NULL::uuid', '"projectId"'],
  api_key_id: ['l.api_key_id', 'NULL::uuid', '"apiKeyId"'],
  model: [`l.provider || '/' || l.model`, 'NULL::text', 'model'],
} as const;

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

  /** Tokens and requests per bucket and group. A call with several attempts is one request, of each of their models. */
  usage(tenantId: string, query: SumQuery): Promise<BucketPage<UsageSum>> {
    const sums = `count(*) FILTER (WHERE l.kind = 'usage' AND ${isFirstOfCall(query)}) AS requests, ${usageSums('l')}`;
    return this.sum<UsageRow, UsageSum>(tenantId, query, sums, (row) => ({
      ...groupOf(row),
      requests: Number(row.requests),
      usage: summedUsage(row),
    }));
  }

  /**
   * Money per bucket and group, as it was charged or with its later corrections. What has no price adds nothing.
   * @param viewer what the platform pays is not for a tenant.
   */
  costs(tenantId: string, query: SumQuery, basis: 'charged' | 'corrected', viewer: Setter): Promise<BucketPage<CostSum>> {
    const counted = basis === 'charged' ? ` FILTER (WHERE l.kind <> 'adjustment')` : '';
    const shown = viewer === 'operator' ? '' : ` FILTER (WHERE ${isPaidByTenant})`;
    const sums = `coalesce(sum(l.amount)${counted}, 0)::bigint AS amount, (sum(l.provider_cost)${shown})::bigint AS "providerCost"`;
    return this.sum<CostSum, CostSum>(tenantId, query, sums, (row) => ({
      ...groupOf(row),
      amount: row.amount,
      providerCost: row.providerCost,
    }));
  }

  /** Sums over entries by the time their call was admitted. A budget's reset is no call's cost: manual entries are left out. */
  private async sum<Row extends Group, Sum>(
    tenantId: string,
    query: SumQuery,
    sums: string,
    toSum: (row: Row) => Sum,
  ): Promise<BucketPage<Sum>> {
    const spans = bucketSpans(query.start, query.end, query.bucketWidth, query.limit);
    const until = spans.at(-1)?.end ?? query.end;
    const groups = Object.entries(GROUP_COLUMNS).map(
      ([field, [column, none, name]]) => `${query.groupBy.some((by) => by === field) ? column : none} AS ${name}`,
    );
    const { rows } = await this.pool.query<Row & { bucket: bigint }>(
      `SELECT extract(epoch FROM date_bin($4, l.admitted_at, 'epoch'))::bigint AS bucket, ${groups.join(', ')}, ${sums}
       FROM ledger_entries l
       WHERE l.tenant_id = $1 AND l.admitted_at >= to_timestamp($2) AND l.admitted_at < to_timestamp($3) AND l.kind <> 'manual'
         AND ($5::uuid[] IS NULL OR l.project_id = ANY ($5)) AND ($6::uuid[] IS NULL OR l.api_key_id = ANY ($6))
         AND ($7::text[] IS NULL OR l.provider || '/' || l.model = ANY ($7))
       GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
      [tenantId, query.start, until, `${BUCKET_WIDTHS[query.bucketWidth]} seconds`, query.projectIds, query.apiKeyIds, query.models],
    );
    const byBucket = Map.groupBy(rows, (row) => Number(row.bucket));
    const width = BUCKET_WIDTHS[query.bucketWidth];
    return {
      buckets: spans.map((span) => ({ ...span, results: (byBucket.get(Math.floor(span.start / width) * width) ?? []).map(toSum) })),
      next: until < query.end ? until : null,
    };
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

/** SQL: no entry of an earlier attempt counts its call in the same group. Looked up for later attempts only, which are few. */
function isFirstOfCall({ groupBy }: SumQuery): string {
  const isInGroup = groupBy.includes('model')
    ? '(f.provider, f.model) = (l.provider, l.model)'
    : `($7::text[] IS NULL OR f.provider || '/' || f.model = ANY ($7))`;
  return `(l.attempt = 1 OR NOT EXISTS (
    SELECT FROM ledger_entries f WHERE f.tenant_id = l.tenant_id AND f.admitted_at = l.admitted_at AND f.call_id = l.call_id AND f.kind = 'usage'
      AND f.attempt < l.attempt AND ${isInGroup}))`;
}

const groupOf = ({ projectId, apiKeyId, model }: Group): Group => ({ projectId, apiKeyId, model });

const toCall = (row: CallRow): CallRecord => ({ ...row, usage: summedUsage(row) });
