import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { AuditLine, AuditQuery } from './audit-log.js';

const LINE = `id, at, tenant_id AS "tenantId", event, resource, resource_id AS "resourceId", actor_kind AS "actorKind", actor_id AS "actorId",
  request_id AS "requestId", address, before::text AS before, after::text AS after`;

/** Reads the audit log. Nothing here writes it: Postgres does, in the transaction of each change. */
@Injectable()
export class AuditLogRepository {
  constructor(private readonly pool: Pool) {}

  /** A page of the lines of a tenant, or of the platform and all tenants (null), and whether there is more. */
  async list(tenantId: string | null, query: AuditQuery): Promise<{ lines: AuditLine[]; hasMore: boolean }> {
    const { after, before, limit, order, events, actorIds, resourceIds, from, until } = query;
    const values: unknown[] = [];
    const value = (given: unknown) => `$${values.push(given)}`;
    const conditions = ['true'];
    if (tenantId !== null) conditions.push(`tenant_id = ${value(tenantId)}`);
    if (events) conditions.push(`event = ANY (${value(events)}::text[])`);
    if (actorIds) conditions.push(`actor_id = ANY (${value(actorIds)}::text[])`);
    if (resourceIds) conditions.push(`resource_id = ANY (${value(resourceIds)}::uuid[])`);
    if (from) conditions.push(`at >= ${value(from)}`);
    if (until) conditions.push(`at < ${value(until)}`);
    if (after) conditions.push(`id ${order === 'desc' ? '<' : '>'} ${value(after)}::uuid`);
    if (before) conditions.push(`id ${order === 'desc' ? '>' : '<'} ${value(before)}::uuid`);
    // Only `before`: the page that ends there, read backwards from it.
    const backwards = before !== undefined && after === undefined;
    const direction = (order === 'desc') === backwards ? 'ASC' : 'DESC';
    const { rows } = await this.pool.query<AuditLine>(
      `SELECT ${LINE} FROM audit_log WHERE ${conditions.join(' AND ')} ORDER BY id ${direction} LIMIT ${value(limit + 1)}`,
      values,
    );
    const lines = rows.slice(0, limit);
    return { lines: backwards ? lines.reverse() : lines, hasMore: rows.length > limit };
  }
}
