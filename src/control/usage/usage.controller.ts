import { Controller, Get, Query } from '@nestjs/common';
import { ReportsRepository } from '../../calls/index.js';
import type { Setter } from '../../kernel/setter.js';
import { Access, KeepsToProject, ReadsKeptLedger } from '../http/access.js';
import { ActsAs, ProjectId, TenantId } from '../http/admin.js';
import { Answers } from '../http/route.js';
import { StatementTimeout } from '../http/tenant-scope.interceptor.js';
import { renderCosts, renderUsage } from './render.js';
import { CostsPage, CostsQuery, costsSumQuery, UsagePage, UsageQuery, usageSumQuery } from './schema.js';

/** Sums in the shape of OpenAI's organization API. */
@Controller('v1/organization')
@Access('usage')
@ReadsKeptLedger(true)
@KeepsToProject(true)
@StatementTimeout(10_000)
export class UsageController {
  constructor(private readonly reports: ReportsRepository) {}

  @Get('usage/completions')
  @Answers(UsagePage, 'Sum up tokens and requests over time.')
  async usage(@TenantId() tenantId: string, @ProjectId() only: string | null, @Query({ schema: UsageQuery }) query: UsageQuery) {
    return renderUsage(await this.reports.usage(tenantId, usageSumQuery(query, only)));
  }

  @Get('costs')
  @Answers(CostsPage, 'Sum up costs over time. Calls with an unknown price add nothing.')
  async costs(
    @TenantId() tenantId: string,
    @ProjectId() only: string | null,
    @ActsAs() viewer: Setter,
    @Query({ schema: CostsQuery }) query: CostsQuery,
  ) {
    return renderCosts(await this.reports.costs(tenantId, costsSumQuery(query, only), query.basis, viewer));
  }
}
