import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { assertMayChange, assertMaySetSetter, type Setter } from '../../kernel/setter.js';
import { CONFIG, type Config } from '../../platform/config/index.js';
import { type Limit, LimitsService } from '../../quotas/index.js';
import { Access } from '../http/access.js';
import { ActsAs, TenantId } from '../http/admin.js';
import { ChecksIfMatch, IfMatch } from '../http/etag.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { Scopes } from '../scopes/scopes.js';
import { renderLimit } from './render.js';
import { CreateLimit, LimitObject, UpdateLimit } from './schema.js';

@Controller('v1/organization/rate_limits')
@Access('rate_limits')
export class LimitsController {
  constructor(
    private readonly limits: LimitsService,
    private readonly scopes: Scopes,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @Answers(
    LimitObject,
    'Create a rate limit. It limits requests per minute, tokens per minute or concurrent calls, on one scope or on each scope of a kind.',
  )
  async create(
    @TenantId() tenantId: string,
    @ActsAs() by: Setter,
    @Body({ schema: CreateLimit }) body: CreateLimit,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { scope, external_id: externalId = null, metadata = {} } = body;
    const limit = await this.limits.create(
      {
        tenantId,
        scopeKind: scope.kind,
        scopeValue: await this.scopes.valueOf(tenantId, scope),
        requestsPerMinute: body.max_requests_per_1_minute ?? null,
        tokensPerMinute: body.max_tokens_per_1_minute ?? null,
        concurrency: body.max_concurrent_requests ?? null,
        setBy: by,
        externalId,
        metadata,
      },
      by === 'operator' ? null : this.config.maxRules,
    );
    return this.render(limit, reply);
  }

  @Get()
  @Answers(listOf(LimitObject), 'List rate limits.')
  async list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.limits.list(tenantId), 'limit', query);
    const uncounted = await this.scopes.uncounted(tenantId, items);
    return renderList(
      items.map((limit, i) => renderLimit(limit, uncounted[i] ?? null)),
      hasMore,
    );
  }

  @Get(':rate_limit_id')
  @Answers(LimitObject, 'Read a rate limit. Its version is the ETag.')
  async get(@TenantId() tenantId: string, @Param('rate_limit_id') id: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.render(await this.limits.get(tenantId, idOf('limit', id)), reply);
  }

  @PostOrPatch(':rate_limit_id')
  @Answers(LimitObject, 'Update a rate limit. With If-Match it is updated only if it still has that version. It applies to the next call.')
  @ChecksIfMatch()
  async update(
    @TenantId() tenantId: string,
    @ActsAs() by: Setter,
    @Param('rate_limit_id') id: string,
    @IfMatch() version: number | null,
    @Body({ schema: UpdateLimit }) body: UpdateLimit,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const limit = await this.changeable(tenantId, id, by);
    assertMaySetSetter(body.set_by, by);
    const changes = {
      requestsPerMinute: body.max_requests_per_1_minute,
      tokensPerMinute: body.max_tokens_per_1_minute,
      concurrency: body.max_concurrent_requests,
      setBy: body.set_by,
      metadata: body.metadata,
    };
    const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
    await this.scopes.check(tenantId, limit);
    return this.render(await this.limits.update(tenantId, limit.id, given, version), reply);
  }

  @Delete(':rate_limit_id')
  @Answers(deleted('rate_limit'), 'Delete a rate limit. With If-Match it is deleted only if it still has that version.')
  @ChecksIfMatch()
  async delete(@TenantId() tenantId: string, @ActsAs() by: Setter, @Param('rate_limit_id') id: string, @IfMatch() version: number | null) {
    await this.limits.delete(tenantId, (await this.changeable(tenantId, id, by)).id, version);
    return { id, object: 'rate_limit', deleted: true };
  }

  /** @throws WeirError not_found, platform_rule */
  private async changeable(tenantId: string, id: string, by: Setter): Promise<Limit> {
    const limit = await this.limits.get(tenantId, idOf('limit', id));
    assertMayChange(limit, by);
    return limit;
  }

  private async render(limit: Limit, reply: FastifyReply) {
    const [uncounted] = await this.scopes.uncounted(limit.tenantId, [limit]);
    reply.header('etag', `"${limit.version}"`);
    return renderLimit(limit, uncounted ?? null);
  }
}
