import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { sqlFunction } from '../platform/postgres/index.js';
import type { AuditLine, AuditQuery } from './audit-log.js';

const LINE = `l.id, l.at, l.tenant_id AS "tenantId", l.project_id AS "projectId", p.name AS "projectName", l.event, l.resource, l.resource_id AS "resourceId",
  l.actor_kind AS "actorKind", l.actor_id AS "actorId", l.request_id AS "requestId", l.address, l.before::text AS before, l.after::text AS after`;
const LOG = 'audit_log l LEFT JOIN projects p ON p.tenant_id = l.tenant_id AND p.id = l.project_id';

/** Lines in a page of an export: rendering one takes a few milliseconds. */
const EXPORTED_AT_ONCE = 200;
const PURGED_AT_ONCE = 5_000;

/** Reads the audit log. Nothing here writes it: Postgres does, in the transaction of each change. */
@Injectable()
export class AuditLogRepository {
  constructor(private readonly pool: Pool) {}

  /** A page of the lines of a tenant, or of the platform and all tenants (null), and whether there is more. */
  async list(tenantId: string | null, query: AuditQuery): Promise<{ lines: AuditLine[]; hasMore: boolean }> {
    const { after, before, limit, order, events, actorIds, resourceIds, projectIds, from, until } = query;
    const values: unknown[] = [];
    const value = (given: unknown) => `$${values.push(given)}`;
    const conditions = ['true'];
    if (tenantId !== null) conditions.push(`l.tenant_id = ${value(tenantId)}`);
    if (events) conditions.push(`l.event = ANY (${value(events)}::text[])`);
    if (actorIds) conditions.push(`l.actor_id = ANY (${value(actorIds)}::text[])`);
    if (resourceIds) conditions.push(`l.resource_id = ANY (${value(resourceIds)}::uuid[])`);
    if (projectIds) conditions.push(`l.project_id = ANY (${value(projectIds)}::uuid[])`);
    if (from) conditions.push(`l.at >= ${value(from)}`);
    if (until) conditions.push(`l.at < ${value(until)}`);
    if (after) conditions.push(`l.id ${order === 'desc' ? '<' : '>'} ${value(after)}::uuid`);
    if (before) conditions.push(`l.id ${order === 'desc' ? '>' : '<'} ${value(before)}::uuid`);
    // Only `before`: the page that ends there, read backwards from it.
    const backwards = before !== undefined && after === undefined;
    const direction = (order === 'desc') === backwards ? 'ASC' : 'DESC';
    const { rows } = await this.pool.query<AuditLine>(
      `SELECT ${LINE} FROM ${LOG} WHERE ${conditions.join(' AND ')} ORDER BY l.id ${direction} LIMIT ${value(limit + 1)}`,
      values,
    );
    const lines = rows.slice(0, limit);
    return { lines: backwards ? lines.reverse() : lines, hasMore: rows.length > limit };
  }
  /** All lines of a query, a page at a time, so that any number of them fits. */
  async *pages(tenantId: string | null, query: Omit<AuditQuery, 'limit' | 'before'>): AsyncGenerator<AuditLine[]> {
    let after = query.after;
    let hasMore = true;
    while (hasMore) {
      const page = await this.list(tenantId, { ...query, after, limit: EXPORTED_AT_ONCE });
      ({ hasMore } = page);
      after = page.lines.at(-1)?.id;
      yield page.lines;
    }
  }

  /** Removes lines that are older than `months`, at least 13; no more than begins within `patienceMs`. Answers how many. */
  async purge(months: number, patienceMs: number): Promise<number> {
    const until = performance.now() + patienceMs;
    let total = 0;
    for (let found = PURGED_AT_ONCE; found === PURGED_AT_ONCE && performance.now() < until; total += found) {
      const { rows } = await this.pool.query<{ count: number }>(`SELECT ${sqlFunction('purge_audit_log')}($1, $2) AS count`, [
        months,
        PURGED_AT_ONCE,
      ]);
      found = rows[0]!.count;
    }
    return total;
  }
}
