import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { assertMayChange, assertMaySetSetter, type Setter } from '../../kernel/setter.js';
import { CONFIG, type Config } from '../../platform/config/index.js';
import { type Budget, BudgetsService } from '../../quotas/index.js';
import { Access } from '../http/access.js';
import { Actor, ActsAs, TenantId } from '../http/admin.js';
import { ChecksIfMatch, IfMatch } from '../http/etag.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { Scopes } from '../scopes/scopes.js';
import { renderBudget, renderGrant, renderPeriod } from './render.js';
import {
  BudgetObject,
  CreateBudget,
  CreateGrant,
  GrantObject,
  GrantsQuery,
  PeriodObject,
  PeriodsQuery,
  ResetBudget,
  UpdateBudget,
} from './schema.js';

@Controller('v1/organization/budgets')
@Access('budgets')
export class BudgetsController {
  constructor(
    private readonly budgets: BudgetsService,
    private readonly scopes: Scopes,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @Answers(
    BudgetObject,
    'Create a budget. It counts calls of one tenant, project, API key, end user, session, model, provider, tag or scope, or of each of a kind.',
  )
  async create(
    @TenantId() tenantId: string,
    @ActsAs() by: Setter,
    @Body({ schema: CreateBudget }) body: CreateBudget,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const budget = await this.budgets.create(
      {
        tenantId,
        scopeKind: body.scope.kind,
        scopeValue: await this.scopes.valueOf(tenantId, body.scope),
        limit: body.limit,
        periodKind: body.period,
        timezone: body.timezone,
        anchor: body.anchor ?? null,
        windowSeconds: body.window_seconds,
        thresholds: body.thresholds,
        mode: body.mode,
        fourEyes: body.four_eyes,
        setBy: by,
        externalId: body.external_id ?? null,
        metadata: body.metadata ?? {},
      },
      by === 'operator' ? null : this.config.maxRules,
    );
    return this.render(budget, reply);
  }

  @Get()
  @Answers(listOf(BudgetObject), 'List budgets.')
  async list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.budgets.list(tenantId), 'budget', query);
    const [periods, uncounted] = await Promise.all([this.budgets.current(tenantId, items), this.scopes.uncounted(tenantId, items)]);
    return renderList(
      items.map((budget, i) => renderBudget(budget, periods.get(budget.id) ?? null, uncounted[i] ?? null)),
      hasMore,
    );
  }

  @Get(':budget_id')
  @Answers(BudgetObject, 'Read a budget, with the amounts spent and held in its current period. Its version is the ETag.')
  async get(@TenantId() tenantId: string, @Param('budget_id') id: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.render(await this.budgets.get(tenantId, idOf('budget', id)), reply);
  }

  @PostOrPatch(':budget_id')
  @Answers(BudgetObject, 'Update a budget. With If-Match it is updated only if it still has that version.')
  @ChecksIfMatch()
  async update(
    @TenantId() tenantId: string,
    @ActsAs() by: Setter,
    @Param('budget_id') id: string,
    @IfMatch() version: number | null,
    @Body({ schema: UpdateBudget }) body: UpdateBudget,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { set_by: setBy, four_eyes: fourEyes, ...changes } = body;
    const budget = await this.changeable(tenantId, id, by);
    assertMaySetSetter(setBy, by);
    await this.scopes.check(tenantId, budget);
    return this.render(await this.budgets.update(tenantId, budget.id, { ...changes, setBy, fourEyes }, version), reply);
  }

  @Delete(':budget_id')
  @Answers(
    deleted('budget'),
    'Delete a budget. With If-Match it is deleted only if it still has that version. Its history stays. Calls in flight still settle.',
  )
  @ChecksIfMatch()
  async delete(@TenantId() tenantId: string, @ActsAs() by: Setter, @Param('budget_id') id: string, @IfMatch() version: number | null) {
    await this.budgets.delete(tenantId, (await this.changeable(tenantId, id, by)).id, version);
    return { id, object: 'budget', deleted: true };
  }

  @Get(':budget_id/periods')
  @Answers(listOf(PeriodObject), 'List the latest periods of a budget.')
  async periods(
    @TenantId() tenantId: string,
    @Param('budget_id') id: string,
    @Query({ schema: PeriodsQuery }) { limit, scope_value }: PeriodsQuery,
  ) {
    const budget = await this.budgets.get(tenantId, idOf('budget', id));
    const periods = await this.budgets.periods(tenantId, budget.id, limit + 1, scope_value);
    return renderList(periods.slice(0, limit).map(renderPeriod), periods.length > limit);
  }

  @Post(':budget_id/reset')
  @Answers(BudgetObject, 'Reset the amount spent in the current period to zero. The ledger keeps a record of it.')
  async reset(
    @TenantId() tenantId: string,
    @Actor() actor: string,
    @ActsAs() by: Setter,
    @Param('budget_id') id: string,
    @Body({ schema: ResetBudget }) body: ResetBudget,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { id: budgetId } = await this.changeable(tenantId, id, by);
    await this.budgets.reset(tenantId, budgetId, actor, body?.reason ?? null, body?.scope_value);
    return this.render(await this.budgets.get(tenantId, budgetId), reply);
  }

  @Post(':budget_id/grants')
  @Answers(GrantObject, 'Raise the limit of the current period by an amount.')
  async grant(
    @TenantId() tenantId: string,
    @Actor() actor: string,
    @ActsAs() by: Setter,
    @Param('budget_id') id: string,
    @Body({ schema: CreateGrant }) body: CreateGrant,
  ) {
    const { amount, reason = null, scope_value = null } = body;
    const budget = await this.changeable(tenantId, id, by);
    return renderGrant(await this.budgets.grant(tenantId, budget.id, scope_value, amount, actor, reason));
  }

  @Get(':budget_id/grants')
  @Answers(listOf(GrantObject), 'List the latest grants of a budget.')
  async grants(@TenantId() tenantId: string, @Param('budget_id') id: string, @Query({ schema: GrantsQuery }) { limit }: GrantsQuery) {
    const grants = await this.budgets.grants(tenantId, idOf('budget', id), limit + 1);
    return renderList(grants.slice(0, limit).map(renderGrant), grants.length > limit);
  }

  /** @throws WeirError not_found, platform_rule */
  private async changeable(tenantId: string, id: string, by: Setter): Promise<Budget> {
    const budget = await this.budgets.get(tenantId, idOf('budget', id));
    assertMayChange(budget, by);
    return budget;
  }

  private async render(budget: Budget, reply: FastifyReply) {
    const { tenantId } = budget;
    const [periods, [uncounted]] = await Promise.all([this.budgets.current(tenantId, [budget]), this.scopes.uncounted(tenantId, [budget])]);
    reply.header('etag', `"${budget.version}"`);
    return renderBudget(budget, periods.get(budget.id) ?? null, uncounted ?? null);
  }
}
