import { Controller, Get, Query } from '@nestjs/common';
import { CallsRepository } from '../../calls/index.js';
import { Access, ReadsKeptLedger } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { Answers } from '../http/route.js';
import { StatementTimeout } from '../http/tenant-scope.interceptor.js';
import { renderCosts, renderUsage } from './render.js';
import { CostsPage, CostsQuery, costsSumQuery, UsagePage, UsageQuery, usageSumQuery } from './schema.js';

/** Sums in the shape of OpenAI's organization API. */
@Controller('v1/organization')
@Access('usage')
@ReadsKeptLedger(true)
@StatementTimeout(10_000)
export class UsageController {
  constructor(private readonly calls: CallsRepository) {}

  @Get('usage/completions')
  @Answers(UsagePage, 'Sum up tokens and requests over time.')
  async usage(@TenantId() tenantId: string, @Query({ schema: UsageQuery }) query: UsageQuery) {
    return renderUsage(await this.calls.usage(tenantId, usageSumQuery(query)));
  }

  @Get('costs')
  @Answers(CostsPage, 'Sum up costs over time. Calls with an unknown price add nothing.')
  async costs(@TenantId() tenantId: string, @Query({ schema: CostsQuery }) query: CostsQuery) {
    return renderCosts(await this.calls.costs(tenantId, costsSumQuery(query), query.basis));
  }
}
