import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { WeirError } from '../kernel/errors.js';
import type { Nano } from '../kernel/money.js';
import type { Setter } from '../kernel/setter.js';
import { summedUsage, type UsageSums, usageSums } from '../kernel/usage.js';
import { sqlFunction } from '../platform/postgres/index.js';
import {
  type BucketPage,
  bucketSpans,
  CALL_DIMENSIONS,
  type CostSum,
  type Dimension,
  type Group,
  ROLLED_DIMENSIONS,
  type SumQuery,
  type UsageSum,
} from './usage.js';

const DAY_SECONDS = 86_400;
/** What only calls know is read call by call. */
const MAX_CALL_DAYS = 31;
const MAX_RESULTS = 10_000;

/** Where a dimension is found: in an entry or the roll-up `l`, in the call `c`, or in what the call has several of. */
const COLUMNS: Record<Dimension, { sql: string; type: 'uuid' | 'text' }> = {
  project_id: { sql: 'l.project_id', type: 'uuid' },
  api_key_id: { sql: 'l.api_key_id', type: 'uuid' },
  provider: { sql: 'l.provider', type: 'text' },
  model: { sql: `l.provider || '/' || l.model`, type: 'text' },
  endpoint: { sql: 'c.surface', type: 'text' },
  credential_id: { sql: 'c.credential_id', type: 'uuid' },
  end_user: { sql: 'c.end_user', type: 'text' },
  session: { sql: 'c.session', type: 'text' },
  tag: { sql: 'tag', type: 'text' },
  scope: { sql: 'scope', type: 'text' },
};
const SEVERAL = { tag: 'c.tags', scope: 'c.scopes' } as const;

type SumRow = UsageSums & {
  bucket: number;
  requests: bigint;
  amount: Nano;
  adjusted: Nano;
  providerCost: Nano | null;
  ownProviderCost: Nano | null;
} & { [D in Dimension as `by_${D}`]?: string | null };

/** Sums up what the ledger booked, by the time calls were admitted. A budget's reset is no call's cost: manual entries are left out. */
@Injectable()
export class ReportsRepository {
  constructor(private readonly pool: Pool) {}

  /** Tokens and requests per bucket and group. A call with several attempts is one request, of each of their models and providers. */
  usage(tenantId: string, query: SumQuery): Promise<BucketPage<UsageSum>> {
    return this.sum(tenantId, query, (row, group) => ({ group, requests: Number(row.requests), usage: summedUsage(row) }));
  }

  /**
   * Money per bucket and group, as it was charged or with its later corrections. What has no price adds nothing.
   * @param viewer what the platform pays is not for a tenant.
   */
  costs(tenantId: string, query: SumQuery, basis: 'charged' | 'corrected', viewer: Setter): Promise<BucketPage<CostSum>> {
    return this.sum(tenantId, query, (row, group) => ({
      group,
      amount: basis === 'charged' ? row.amount - row.adjusted : row.amount,
      providerCost: viewer === 'operator' ? row.providerCost : row.ownProviderCost,
    }));
  }

  /** @throws WeirError invalid_request where it would read or answer too much. */
  private async sum<Sum>(tenantId: string, query: SumQuery, toSum: (row: SumRow, group: Group) => Sum): Promise<BucketPage<Sum>> {
    const spans = bucketSpans(query.start, query.end, query.bucketWidth, query.limit, query.timeZone);
    const until = spans.at(-1)?.end ?? query.end;
    const values: unknown[] = [];
    const value = (given: unknown) => `$${values.push(given)}`;
    const from = `to_timestamp(${value(query.start)})`;
    const to = `to_timestamp(${value(until)})`;
    const tenant = `${value(tenantId)}::uuid`;
    const filters = Object.entries(query.filters).map(([dimension, wanted]) => filterBy(dimension as Dimension, value(wanted), query));
    const conditions = filters.map((filter) => ` AND ${filter}`).join('');
    const groups = query.groupBy.map((dimension) => `${COLUMNS[dimension].sql} AS "by_${dimension}"`);
    const columns = ['l.units', 'l.quantities', 'l.amount', ...groups].join(', ');
    let source: string;
    if (isRolled(query)) {
      // Read before the snapshot of the sums: what was rolled up since then is read from the entries.
      const { rows } = await this.pool.query<{ until: string }>('SELECT until::text AS until FROM usage_rolled');
      source = rolled({
        tenant,
        from,
        to,
        columns,
        conditions,
        calls: countOf(query),
        rolledUntil: `${value(rows[0]!.until)}::timestamptz`,
      });
    } else {
      assertBounded(query, until);
      source = booked({ tenant, from, to, columns, conditions, query });
    }
    const keys = query.groupBy.map((dimension) => `"by_${dimension}"`);
    const by = ['1', ...keys].join(', ');
    const starts = `${value(spans.map(({ start }) => new Date(start * 1000)))}::timestamptz[]`;
    const { rows } = await this.pool.query<SumRow>(
      `WITH ${source}
       SELECT ${[`width_bucket(l.at, ${starts}) AS bucket`, ...keys].join(', ')}, sum(l.calls)::bigint AS requests, ${usageSums('l')},
         coalesce(sum(l.amount), 0)::bigint AS amount, coalesce(sum(l.adjusted), 0)::bigint AS adjusted, sum(l.provider_cost)::bigint AS "providerCost",
         sum(l.own_provider_cost)::bigint AS "ownProviderCost"
       FROM source l GROUP BY ${by} ORDER BY ${by} LIMIT ${MAX_RESULTS + 1}`,
      values,
    );
    if (rows.length > MAX_RESULTS)
      throw new WeirError('invalid_request', {
        param: 'group_by',
        message: `The report has more than ${MAX_RESULTS} results. Ask for a shorter time, fewer buckets per page, or filter it.`,
      });
    const byBucket = Map.groupBy(rows, ({ bucket }) => bucket - 1);
    const groupOf = (row: SumRow): Group =>
      Object.fromEntries(query.groupBy.map((dimension) => [dimension, row[`by_${dimension}`] ?? null]));
    return {
      buckets: spans.map((span, index) => ({ ...span, results: (byBucket.get(index) ?? []).map((row) => toSum(row, groupOf(row))) })),
      next: until < query.end ? until : null,
    };
  }
}

/** SQL: whether an entry is of one of the values. A call that has several is let through by one of them, and grouped by those that are asked for. */
function filterBy(dimension: Dimension, wanted: string, { groupBy }: SumQuery): string {
  const { sql, type } = COLUMNS[dimension];
  if ((dimension === 'tag' || dimension === 'scope') && !groupBy.includes(dimension)) return `${SEVERAL[dimension]} && ${wanted}::text[]`;
  return `${sql} = ANY (${wanted}::${type}[])`;
}

const dimensionsOf = ({ groupBy, filters }: SumQuery): Dimension[] => [...groupBy, ...(Object.keys(filters) as Dimension[])];

/** Whether the roll-up can tell. Of a call that used two of several models that are asked for it cannot, where they are summed up together. */
function isRolled(query: SumQuery): boolean {
  const isTold = (dimension: 'provider' | 'model') => query.groupBy.includes(dimension) || (query.filters[dimension]?.length ?? 1) === 1;
  return (
    query.bucketWidth !== '1m' &&
    dimensionsOf(query).every((dimension) => (ROLLED_DIMENSIONS as readonly string[]).includes(dimension)) &&
    isTold('provider') &&
    isTold('model')
  );
}

function countOf(query: SumQuery): string {
  const dimensions = dimensionsOf(query);
  if (dimensions.includes('model')) return 'l.model_calls';
  return dimensions.includes('provider') ? 'l.provider_calls' : 'l.calls';
}

function assertBounded(query: SumQuery, until: number): void {
  const [unrolled] = dimensionsOf(query).filter((dimension) => (CALL_DIMENSIONS as readonly string[]).includes(dimension));
  if (unrolled !== undefined && until - query.start > MAX_CALL_DAYS * DAY_SECONDS)
    throw new WeirError('invalid_request', {
      param: 'start_time',
      message: `A page of a report by ${unrolled} has ${MAX_CALL_DAYS} days at most. Ask for a shorter time, or for fewer buckets per page with "limit".`,
    });
}

interface Source {
  tenant: string;
  from: string;
  to: string;
  columns: string;
  conditions: string;
}

/**
 * SQL: the roll-up, and the entries of quarters of an hour that it does not have whole: those with an entry that was booked after the roll-up got there, and
 * the first and the last where only a part of them is asked for.
 */
function rolled({ tenant, from, to, columns, conditions, calls, rolledUntil }: Source & { calls: string; rolledUntil: string }): string {
  const quarterOf = (at: string) => `date_bin('15 minutes', ${at}, 'epoch')`;
  const all = `${columns}, ${calls} AS calls, l.adjusted, l.provider_cost, l.own_provider_cost, greatest(l.starts_at, ${from}) AS at`;
  return `fresh AS MATERIALIZED (
      SELECT ${quarterOf('admitted_at')} AS at FROM ledger_entries
      WHERE tenant_id = ${tenant} AND admitted_at >= ${from} AND admitted_at < ${to} AND booked_at >= ${rolledUntil}
      UNION SELECT ${quarterOf('edge')} FROM unnest(ARRAY[${from}, ${to}]) AS edge WHERE edge <> ${quarterOf('edge')}
    ), source AS (
      SELECT ${all} FROM usage_rollups l
      WHERE l.tenant_id = ${tenant} AND l.starts_at >= ${from} AND l.starts_at < ${to} AND l.starts_at NOT IN (SELECT at FROM fresh)${conditions}
      UNION ALL
      SELECT ${all} FROM fresh CROSS JOIN LATERAL ${sqlFunction('usage_between')}(${tenant}, greatest(fresh.at, ${from}), least(fresh.at + interval '15 minutes', ${to})) l
      WHERE true${conditions}
    )`;
}

/** SQL: the entries themselves, with their calls where those are asked for. */
function booked({ tenant, from, to, columns, conditions, query }: Source & { query: SumQuery }): string {
  const needsCall = dimensionsOf(query).some((dimension) => (CALL_DIMENSIONS as readonly string[]).includes(dimension));
  const several = (['tag', 'scope'] as const).filter((dimension) => query.groupBy.includes(dimension));
  return `source AS (
      SELECT ${columns}, (l.kind = 'usage' AND ${isFirstOfCall(query, conditions)})::int AS calls, CASE WHEN l.kind = 'adjustment' THEN l.amount END AS adjusted,
        l.provider_cost, CASE WHEN l.lent IS FALSE THEN l.provider_cost END AS own_provider_cost, l.admitted_at AS at
      FROM ledger_entries l ${needsCall ? 'JOIN calls c ON c.tenant_id = l.tenant_id AND c.id = l.call_id AND c.admitted_at = l.admitted_at' : ''}
        ${several.map((dimension) => `LEFT JOIN LATERAL unnest(${SEVERAL[dimension]}) AS ${dimension} ON true`).join(' ')}
      WHERE l.tenant_id = ${tenant} AND l.admitted_at >= ${from} AND l.admitted_at < ${to} AND l.kind <> 'manual'${conditions}
    )`;
}

/** SQL: no entry of an earlier attempt counts its call in the same group. Looked up for later attempts only, which are few. */
function isFirstOfCall({ groupBy }: SumQuery, conditions: string): string {
  const same = (['provider', 'model'] as const)
    .filter((dimension) => groupBy.includes(dimension))
    .map((dimension) => COLUMNS[dimension].sql);
  const ofFirst = (sql: string) => sql.replaceAll('l.', 'f.');
  const isInGroup = same.map((sql) => ` AND ${ofFirst(sql)} = ${sql}`).join('');
  return `(l.attempt = 1 OR NOT EXISTS (
    SELECT FROM ledger_entries f WHERE f.tenant_id = l.tenant_id AND f.admitted_at = l.admitted_at AND f.call_id = l.call_id AND f.kind = 'usage'
      AND f.attempt < l.attempt${isInGroup}${ofFirst(conditions)}))`;
}
