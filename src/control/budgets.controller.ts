import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ApiKeysService } from '../api-keys/index.js';
import { type Budget, BudgetsService } from '../budgets/index.js';
import { WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import { TenantsRepository } from '../tenants/index.js';
import { Access } from './access.js';
import { Actor, TenantId } from './admin.js';
import { found, idOf } from './found.js';
import { ListQuery, listOf, pageOf, renderList } from './list.js';
import { Answers } from './route.js';
import {
  BudgetObject,
  CreateBudget,
  PeriodObject,
  PeriodsQuery,
  ResetBudget,
  renderBudget,
  renderPeriod,
  UpdateBudget,
} from './schemas/budget.js';
import { deleted } from './schemas/common.js';

const IF_MATCH = { name: 'If-Match', required: false, description: 'The ETag of the version to change.' };

@Controller('v1/organization/budgets')
@Access('tenant')
export class BudgetsController {
  constructor(
    private readonly budgets: BudgetsService,
    private readonly tenants: TenantsRepository,
    private readonly apiKeys: ApiKeysService,
  ) {}

  @Post()
  @Answers(BudgetObject, 'Set a budget on a tenant, a project or an API key.')
  async create(
    @TenantId() tenantId: string,
    @Body({ schema: CreateBudget }) body: CreateBudget,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const budget = await this.budgets.create({
      tenantId,
      scopeKind: body.scope.kind,
      scopeValue: await this.scopeValue(tenantId, body.scope),
      limit: body.limit,
      periodKind: body.period,
      timezone: body.timezone,
      mode: body.mode,
      externalId: body.external_id ?? null,
      metadata: body.metadata ?? {},
    });
    return this.render(budget, reply);
  }

  @Get()
  @Answers(listOf(BudgetObject), 'List budgets.')
  async list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.budgets.list(tenantId), 'budget', query);
    const periods = await this.budgets.current(tenantId, items);
    return renderList(
      items.map((budget) => renderBudget(budget, periods.get(budget.id) ?? null)),
      hasMore,
    );
  }

  @Get(':budget_id')
  @Answers(BudgetObject, 'Read a budget and what is spent and held of it now. Its version is the ETag.')
  async get(@TenantId() tenantId: string, @Param('budget_id') id: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.render(await this.budgets.get(tenantId, idOf('budget', id)), reply);
  }

  @Post(':budget_id')
  @Answers(BudgetObject, 'Change a budget; with If-Match, only if it still has that version.')
  @ApiHeader(IF_MATCH)
  async update(
    @TenantId() tenantId: string,
    @Param('budget_id') id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: UpdateBudget }) body: UpdateBudget,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.render(await this.budgets.update(tenantId, idOf('budget', id), body, versionIn(ifMatch)), reply);
  }

  @Patch(':budget_id')
  @Answers(BudgetObject, 'Change a budget; with If-Match, only if it still has that version.')
  @ApiHeader(IF_MATCH)
  patch(
    @TenantId() tenantId: string,
    @Param('budget_id') id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: UpdateBudget }) body: UpdateBudget,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.update(tenantId, id, ifMatch, body, reply);
  }

  @Delete(':budget_id')
  @Answers(deleted('budget'), 'Remove a budget. What it counted stays; calls in flight still settle.')
  async delete(@TenantId() tenantId: string, @Param('budget_id') id: string) {
    await this.budgets.delete(tenantId, idOf('budget', id));
    return { id, object: 'budget', deleted: true };
  }

  @Get(':budget_id/periods')
  @Answers(listOf(PeriodObject), 'List the latest periods of a budget.')
  async periods(@TenantId() tenantId: string, @Param('budget_id') id: string, @Query({ schema: PeriodsQuery }) { limit }: PeriodsQuery) {
    const budget = await this.budgets.get(tenantId, idOf('budget', id));
    const periods = await this.budgets.periods(tenantId, budget.id, limit + 1);
    return renderList(periods.slice(0, limit).map(renderPeriod), periods.length > limit);
  }

  @Post(':budget_id/reset')
  @Answers(BudgetObject, 'Bring what the current period has spent to zero. The ledger keeps a record of it.')
  async reset(
    @TenantId() tenantId: string,
    @Actor() actor: string,
    @Param('budget_id') id: string,
    @Body({ schema: ResetBudget }) body: ResetBudget,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const budgetId = idOf('budget', id);
    await this.budgets.reset(tenantId, budgetId, actor, body?.reason ?? null);
    return this.render(await this.budgets.get(tenantId, budgetId), reply);
  }

  /** The public id of what the budget is set on. @throws WeirError not_found when it is not the tenant's. */
  private async scopeValue(tenantId: string, { kind, value = publicId('tenant', tenantId) }: CreateBudget['scope']): Promise<string> {
    const param = 'scope.value';
    switch (kind) {
      case 'tenant':
        found('tenant', idOf('tenant', value, param) === tenantId || null, param);
        return value;
      case 'project':
        found('project', await this.tenants.findProject(tenantId, idOf('project', value, param)), param);
        return value;
      case 'api_key':
        found('apiKey', await this.apiKeys.findInTenant(tenantId, idOf('apiKey', value, param)), param);
        return value;
    }
  }

  private async render(budget: Budget, reply: FastifyReply) {
    const periods = await this.budgets.current(budget.tenantId, [budget]);
    reply.header('etag', `"${budget.version}"`);
    return renderBudget(budget, periods.get(budget.id) ?? null);
  }
}

/** The version an `If-Match` asks for; null: any. @throws WeirError precondition_failed for what was never an ETag of ours. */
function versionIn(ifMatch: string | undefined): number | null {
  if (ifMatch === undefined || ifMatch === '*') return null;
  const version = /^"?(\d{1,9})"?$/.exec(ifMatch)?.[1];
  if (version === undefined) throw new WeirError('precondition_failed');
  return Number(version);
}
