import { Controller, Get, Param, Query } from '@nestjs/common';
import { CallObject, CallsRepository, ExplainService, ExplanationObject, renderCall } from '../../calls/index.js';
import { found } from '../../kernel/found.js';
import type { Setter } from '../../kernel/setter.js';
import { Router } from '../../routing/index.js';
import { Access, KeepsToProject, ReadsKeptLedger } from '../http/access.js';
import { ActsAs, ProjectId, TenantId } from '../http/admin.js';
import { cursors, listOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers } from '../http/route.js';
import { CallQuery } from './schema.js';

@Controller('v1/organization/calls')
@Access('calls')
@ReadsKeptLedger(true)
@KeepsToProject(true)
export class CallsController {
  constructor(
    private readonly calls: CallsRepository,
    private readonly explain: ExplainService,
    private readonly router: Router,
  ) {}

  @Get()
  @Answers(listOf(CallObject), 'List finished calls.')
  async list(
    @TenantId() tenantId: string,
    @ProjectId() only: string | null,
    @ActsAs() viewer: Setter,
    @Query({ schema: CallQuery }) query: CallQuery,
  ) {
    const { limit, order, project_id: asked, api_key_id: apiKeyId, model, status } = query;
    if (only !== null) found('project', asked === undefined || asked === only ? only : null, 'project_id');
    const filters = { projectId: only ?? asked, apiKeyId, model, status };
    const { calls, hasMore } = await this.calls.list(tenantId, { ...cursors('call', query), limit, order, filters });
    return renderList(
      calls.map((call) => renderCall(call, viewer)),
      hasMore,
    );
  }

  @Get(':call_id')
  @Answers(CallObject, 'Read a call: its tokens, cost and attempts.')
  async get(@TenantId() tenantId: string, @ProjectId() only: string | null, @ActsAs() viewer: Setter, @Param('call_id') id: string) {
    return renderCall(found('call', await this.calls.find(tenantId, idOf('call', id), { projectId: only ?? undefined })), viewer);
  }

  @Get(':call_id/explain')
  @Answers(
    ExplanationObject,
    'Explain a call: its route, targets, attempts, holds, costs and budgets. Refused calls for which no money was held are not kept, and get 404.',
  )
  async explainCall(@TenantId() tenantId: string, @ProjectId() only: string | null, @Param('call_id') id: string) {
    return found(
      'call',
      await this.explain.explain(tenantId, idOf('call', id), this.router.defaultPolicy, { projectId: only ?? undefined }),
    );
  }
}
