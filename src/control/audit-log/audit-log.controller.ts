import { Readable } from 'node:stream';
import { Controller, Get, Query, StreamableFile } from '@nestjs/common';
import { AuditLogRepository } from '../../audit-log/index.js';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { inThisScope } from '../../platform/postgres/index.js';
import { Access } from '../http/access.js';
import { Caller, TenantId } from '../http/admin.js';
import { listOf, renderList } from '../http/list.js';
import { Answers, AnswersFile } from '../http/route.js';
import { FORMATS, renderAuditLine } from './render.js';
import { AuditLogExport, AuditLogObject, AuditLogQuery, auditQuery, exportQuery } from './schema.js';

/** What the log of a tenant and that of the platform (null) have in common. */
abstract class AuditLogOf {
  constructor(private readonly log: AuditLogRepository) {}

  /** @param forTenant see `renderAuditLine`. */
  protected async page(tenantId: string | null, query: AuditLogQuery, forTenant: boolean) {
    const { lines, hasMore } = await this.log.list(tenantId, auditQuery(query));
    return renderList(
      lines.map((line) => renderAuditLine(line, forTenant)),
      hasMore,
    );
  }

  protected file(tenantId: string | null, query: AuditLogExport, forTenant: boolean): StreamableFile {
    const { type } = FORMATS[query.format];
    const disposition = `attachment; filename="audit-log.${query.format}"`;
    const texts = inThisScope(this.texts(tenantId, query, forTenant));
    return new StreamableFile(Readable.from(texts, { objectMode: false }), { type, disposition });
  }

  private async *texts(tenantId: string | null, query: AuditLogExport, forTenant: boolean): AsyncGenerator<string> {
    const { head, line } = FORMATS[query.format];
    if (head !== '') yield head;
    for await (const lines of this.log.pages(tenantId, exportQuery(query)))
      if (lines.length > 0) yield lines.map((one) => line(renderAuditLine(one, forTenant))).join('');
  }
}

/** Who changed what in a tenant. */
@Controller('v1/organization/audit_logs')
@Access('audit_logs')
export class AuditLogsController extends AuditLogOf {
  constructor(log: AuditLogRepository) {
    super(log);
  }

  @Get()
  @Answers(listOf(AuditLogObject), 'List changes in the tenant: who made them, when, and what was before and after.')
  list(@TenantId() tenantId: string, @Caller() { kind }: AdminCaller, @Query({ schema: AuditLogQuery }) query: AuditLogQuery) {
    return this.page(tenantId, query, kind !== 'operator');
  }

  @Get('export')
  @AnswersFile(['application/x-ndjson', 'text/csv'], 'Read all changes in the tenant, the oldest first, as NDJSON or CSV.')
  export(@TenantId() tenantId: string, @Caller() { kind }: AdminCaller, @Query({ schema: AuditLogExport }) query: AuditLogExport) {
    return this.file(tenantId, query, kind !== 'operator');
  }
}

/** Who changed what, on the platform and in all tenants. */
@Controller('v1/platform/audit_logs')
@Access('operator')
export class PlatformAuditLogsController extends AuditLogOf {
  constructor(log: AuditLogRepository) {
    super(log);
  }

  @Get()
  @Answers(listOf(AuditLogObject), 'List changes on the platform and in all tenants: who made them, when, and what was before and after.')
  list(@Query({ schema: AuditLogQuery }) query: AuditLogQuery) {
    return this.page(null, query, false);
  }

  @Get('export')
  @AnswersFile(
    ['application/x-ndjson', 'text/csv'],
    'Read all changes on the platform and in all tenants, the oldest first, as NDJSON or CSV.',
  )
  export(@Query({ schema: AuditLogExport }) query: AuditLogExport) {
    return this.file(null, query, false);
  }
}
