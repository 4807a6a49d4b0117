import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { WeirError } from '../../kernel/errors.js';
import { assertMayChange, type Setter } from '../../kernel/setter.js';
import { CONFIG, type Config } from '../../platform/config/index.js';
import { BudgetsService } from '../../quotas/index.js';
import { type NewRoute, type Route, type RouteCondition, RoutesService } from '../../routes/index.js';
import { References } from '../../routing/index.js';
import { Access, KeepsToProject } from '../http/access.js';
import { ActsAs, TenantId } from '../http/admin.js';
import { ChecksIfMatch, IfMatch } from '../http/etag.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderRoute } from './render.js';
import { CreateRoute, RouteObject, UpdateRoute } from './schema.js';

const CREATE =
  'Create a route: a name that calls may ask for, and the models that answer it. A route that no call can reach, or whose targets do not exist, is refused.';
const UPDATE = 'Update a route. With If-Match it is updated only if it still has that version. It applies to the next call.';

/** What the routes of an owner, a tenant or the platform (null), have in common. */
abstract class Routes {
  constructor(
    private readonly routes: RoutesService,
    private readonly references: References,
    private readonly budgets: BudgetsService,
    private readonly config: Pick<Config, 'maxRules' | 'timeouts'>,
  ) {}

  protected async add(tenantId: string | null, body: CreateRoute, by: Setter, reply: FastifyReply) {
    const route: NewRoute = {
      tenantId,
      name: body.name,
      match: body.match,
      targets: body.targets,
      strategy: body.strategy,
      retries: body.retries ?? null,
      attempts: body.attempts ?? null,
      deadlineMs: body.deadline_ms ?? null,
      fallbackOn: body.fallback_on ?? null,
      when: conditionOf(body.when),
      setBy: by,
      externalId: body.external_id ?? null,
      metadata: body.metadata ?? {},
    };
    await this.check(route);
    return render(await this.routes.create(route, by === 'operator' ? null : this.config.maxRules.ofTenant), reply);
  }

  protected async page(tenantId: string | null, query: ListQuery) {
    const { items, hasMore } = pageOf(await this.routes.list(tenantId), 'route', query);
    return renderList(items.map(renderRoute), hasMore);
  }

  protected async read(tenantId: string | null, id: string, reply: FastifyReply) {
    return render(await this.routes.get(tenantId, idOf('route', id)), reply);
  }

  protected async change(tenantId: string | null, id: string, body: UpdateRoute, by: Setter, version: number | null, reply: FastifyReply) {
    const route = await this.changeable(tenantId, id, by);
    if (body.set_by !== undefined) assertMayChange({ setBy: 'operator' }, by);
    const { set_by: setBy, deadline_ms: deadlineMs, fallback_on: fallbackOn, when, ...others } = body;
    const changes = Object.fromEntries(
      Object.entries({ ...others, setBy, deadlineMs, fallbackOn, when: when === undefined ? undefined : conditionOf(when) }).filter(
        ([, value]) => value !== undefined,
      ),
    );
    // What has gone meanwhile keeps nobody from changing something else.
    const leads = ['match', 'targets', 'when'].some((field) => field in changes);
    await this.check({ ...route, ...changes }, leads);
    return render(await this.routes.update(tenantId, route.id, changes, version), reply);
  }

  protected async remove(tenantId: string | null, id: string, by: Setter, version: number | null) {
    await this.routes.delete(tenantId, (await this.changeable(tenantId, id, by)).id, version);
    return { id, object: 'route' as const, deleted: true as const };
  }

  /** @throws WeirError not_found, platform_rule */
  private async changeable(tenantId: string | null, id: string, by: Setter): Promise<Route> {
    const route = await this.routes.get(tenantId, idOf('route', id));
    assertMayChange(route, by);
    return route;
  }

  /** @throws WeirError invalid_request */
  private async check(route: NewRoute, leads = true): Promise<void> {
    const { totalMs } = this.config.timeouts;
    if (route.deadlineMs !== null && route.deadlineMs > totalMs)
      throw new WeirError('invalid_request', {
        param: 'deadline_ms',
        message: `"deadline_ms" must be at most ${totalMs}: a call takes no longer here.`,
      });
    if (!leads) return;
    if (route.when && route.tenantId === null)
      throw new WeirError('invalid_request', {
        param: 'when',
        message: 'A route of the platform has no condition: budgets belong to tenants. Set the route in the tenant.',
      });
    if (route.when?.budget) await this.budgets.get(route.tenantId!, route.when.budget);
    await this.references.checkRoute(route);
  }
}

@Controller('v1/organization/routes')
@Access('routes')
export class RoutesController extends Routes {
  constructor(routes: RoutesService, references: References, budgets: BudgetsService, @Inject(CONFIG) config: Config) {
    super(routes, references, budgets, config);
  }

  @Post()
  @Answers(RouteObject, CREATE)
  create(
    @TenantId() tenantId: string,
    @ActsAs() by: Setter,
    @Body({ schema: CreateRoute }) body: CreateRoute,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.add(tenantId, body, by, reply);
  }

  @Get()
  @KeepsToProject(true)
  @Answers(listOf(RouteObject), "List routes. The platform's are not among them.")
  list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    return this.page(tenantId, query);
  }

  @Get(':route_id')
  @KeepsToProject(true)
  @Answers(RouteObject, 'Read a route. Its version is the ETag.')
  get(@TenantId() tenantId: string, @Param('route_id') id: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.read(tenantId, id, reply);
  }

  @PostOrPatch(':route_id')
  @Answers(RouteObject, UPDATE)
  @ChecksIfMatch()
  update(
    @TenantId() tenantId: string,
    @ActsAs() by: Setter,
    @Param('route_id') id: string,
    @IfMatch() version: number | null,
    @Body({ schema: UpdateRoute }) body: UpdateRoute,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.change(tenantId, id, body, by, version, reply);
  }

  @Delete(':route_id')
  @Answers(
    deleted('route'),
    'Delete a route. With If-Match it is deleted only if it still has that version. The next call no longer finds it.',
  )
  @ChecksIfMatch()
  delete(@TenantId() tenantId: string, @ActsAs() by: Setter, @Param('route_id') id: string, @IfMatch() version: number | null) {
    return this.remove(tenantId, id, by, version);
  }
}

@Controller('v1/platform/routes')
@Access('operator')
export class PlatformRoutesController extends Routes {
  constructor(routes: RoutesService, references: References, budgets: BudgetsService, @Inject(CONFIG) config: Config) {
    super(routes, references, budgets, config);
  }

  @Post()
  @Answers(RouteObject, 'Create a route of all tenants. A route of a tenant that matches the same name goes before it.')
  create(@Body({ schema: CreateRoute }) body: CreateRoute, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.add(null, body, 'operator', reply);
  }

  @Get()
  @Answers(listOf(RouteObject), "List the platform's routes.")
  list(@Query({ schema: ListQuery }) query: ListQuery) {
    return this.page(null, query);
  }

  @Get(':platform_route_id')
  @Answers(RouteObject, "Read a route of the platform's. Its version is the ETag.")
  get(@Param('platform_route_id') id: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.read(null, id, reply);
  }

  @PostOrPatch(':platform_route_id')
  @Answers(RouteObject, UPDATE)
  @ChecksIfMatch()
  update(
    @Param('platform_route_id') id: string,
    @IfMatch() version: number | null,
    @Body({ schema: UpdateRoute }) body: UpdateRoute,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.change(null, id, body, 'operator', version, reply);
  }

  @Delete(':platform_route_id')
  @Answers(deleted('route'), "Delete a route of the platform's. With If-Match it is deleted only if it still has that version.")
  @ChecksIfMatch()
  delete(@Param('platform_route_id') id: string, @IfMatch() version: number | null) {
    return this.remove(null, id, 'operator', version);
  }
}

const conditionOf = (when: CreateRoute['when']): RouteCondition | null =>
  when ? { budget: when.budget ?? null, usedPercent: (when.used_percent ?? when.budget_used_percent)!, use: when.use } : null;

function render(route: Route, reply: FastifyReply): RouteObject {
  reply.header('etag', `"${route.version}"`);
  return renderRoute(route);
}
