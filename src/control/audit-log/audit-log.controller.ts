import { Controller, Get, Query } from '@nestjs/common';
import { AuditLogRepository } from '../../audit-log/index.js';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { Access } from '../http/access.js';
import { Caller, TenantId } from '../http/admin.js';
import { listOf, renderList } from '../http/list.js';
import { Answers } from '../http/route.js';
import { renderAuditLine } from './render.js';
import { AuditLogObject, AuditLogQuery, auditQuery } from './schema.js';

/** Who changed what in a tenant. */
@Controller('v1/organization/audit_logs')
@Access('audit_logs')
export class AuditLogsController {
  constructor(private readonly log: AuditLogRepository) {}

  @Get()
  @Answers(listOf(AuditLogObject), 'List changes in the tenant: who made them, when, and what was before and after.')
  async list(@TenantId() tenantId: string, @Caller() { kind }: AdminCaller, @Query({ schema: AuditLogQuery }) query: AuditLogQuery) {
    const { lines, hasMore } = await this.log.list(tenantId, auditQuery(query));
    return renderList(
      lines.map((line) => renderAuditLine(line, kind !== 'operator')),
      hasMore,
    );
  }
}

/** Who changed what, on the platform and in all tenants. */
@Controller('v1/platform/audit_logs')
@Access('operator')
export class PlatformAuditLogsController {
  constructor(private readonly log: AuditLogRepository) {}

  @Get()
  @Answers(listOf(AuditLogObject), 'List changes on the platform and in all tenants: who made them, when, and what was before and after.')
  async list(@Query({ schema: AuditLogQuery }) query: AuditLogQuery) {
    const { lines, hasMore } = await this.log.list(null, auditQuery(query));
    return renderList(
      lines.map((line) => renderAuditLine(line, false)),
      hasMore,
    );
  }
}
