import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApprovalObject, ApprovalsService, type Decision, renderApproval } from '../../approvals/index.js';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { Access } from '../http/access.js';
import { Actor, Caller, TenantId } from '../http/admin.js';
import { cursors, listOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers } from '../http/route.js';
import { ApprovalQuery, Approve, Reject } from './schema.js';

@Controller('v1/organization/approvals')
@Access('approvals')
export class ApprovalsController {
  constructor(private readonly approvals: ApprovalsService) {}

  @Get()
  @Answers(listOf(ApprovalObject), 'List requests that are beyond a budget of mode `approve`, and what became of them. Kept for 35 days.')
  async list(@TenantId() tenantId: string, @Query({ schema: ApprovalQuery }) query: ApprovalQuery) {
    const { limit, order, state = null } = query;
    const found = await this.approvals.list(tenantId, { ...cursors('approval', query), limit, order, state });
    return renderList(found.slice(0, limit).map(renderApproval), found.length > limit);
  }

  @Get(':approval_id')
  @Answers(ApprovalObject, 'Read a request that is beyond a budget, with what each budget lacks.')
  async get(@TenantId() tenantId: string, @Param('approval_id') id: string) {
    return renderApproval(await this.approvals.get(tenantId, idOf('approval', id)));
  }

  @Post(':approval_id/approve')
  @Answers(
    ApprovalObject,
    'Approve a request: this very call once, or an amount for a time. A client that waits is answered at once. Others send the same request again with `x-weir-approval`. Approving twice grants once.',
  )
  approve(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('approval_id') id: string,
    @Body({ schema: Approve }) body: Approve,
  ) {
    const { amount, seconds = null, reason = null } = body ?? {};
    return this.decide(tenantId, caller, actor, id, { approves: true, grant: amount === undefined ? null : { amount, seconds } }, reason);
  }

  @Post(':approval_id/reject')
  @Answers(ApprovalObject, 'Reject a request. The same request is not asked for again within a day.')
  reject(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('approval_id') id: string,
    @Body({ schema: Reject }) body: Reject,
  ) {
    return this.decide(tenantId, caller, actor, id, { approves: false }, body?.reason ?? null);
  }

  private async decide(tenantId: string, { kind }: AdminCaller, actor: string, id: string, decision: Decision, reason: string | null) {
    const decider = { actor, isOperator: kind === 'operator' };
    return renderApproval(await this.approvals.decide(tenantId, idOf('approval', id), decision, decider, reason));
  }
}
