import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { emailOf, type Invite, Invites, type PersonRole } from '../../people/index.js';
import { TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { Actor, Caller, TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers } from '../http/route.js';
import { renderInvite } from './render.js';
import { CreateInvite, InviteObject, InviteOperator, NewInviteObject } from './schema.js';

/** What the invites of an owner, a tenant or the platform (null), have in common. */
abstract class InvitesOf {
  constructor(protected readonly invites: Invites) {}

  protected async add(
    owner: string | null,
    { email, role, projectId }: { email: string; role: PersonRole; projectId: string | null },
    caller: AdminCaller,
    actor: string,
  ) {
    const { id, token } = await this.invites.create({ tenantId: owner, projectId, email: emailOf(email), role, createdBy: actor }, caller);
    return { ...renderInvite(found('invite', await this.invites.find(owner, id))), token };
  }

  protected async search(owner: string | null, query: ListQuery) {
    const { items, hasMore } = pageOf(await this.invites.list(owner), 'invite', query);
    return renderList(items.map(renderInvite), hasMore);
  }

  protected async find(owner: string | null, id: string): Promise<Invite> {
    return found('invite', await this.invites.find(owner, idOf('invite', id)));
  }

  protected async end(owner: string | null, id: string, actor: string): Promise<string> {
    const invite = await this.find(owner, id);
    await this.invites.revoke(owner, invite.id, actor);
    return publicId('invite', invite.id);
  }
}

@Controller('v1/organization/invites')
@Access('people')
export class InvitesController extends InvitesOf {
  constructor(
    invites: Invites,
    private readonly tenants: TenantsRepository,
  ) {
    super(invites);
  }

  @Post()
  @Answers(
    NewInviteObject,
    'Invite a person. Weir sends no email: give the token to the person, who accepts it within 7 days. A new invite to an address revokes the one before. Only an owner can invite an owner. A key with an end or with networks invites nobody.',
  )
  async create(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Body({ schema: CreateInvite }) { email, role, project_id: projectId }: CreateInvite,
  ) {
    if (projectId) found('project', await this.tenants.findProject(tenantId, projectId), 'project_id');
    return this.add(tenantId, { email, role, projectId }, caller, actor);
  }

  @Get()
  @Answers(listOf(InviteObject), 'List the invites of the tenant, including those that are over.')
  list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    return this.search(tenantId, query);
  }

  @Get(':invite_id')
  @Answers(InviteObject, 'Read an invite.')
  async get(@TenantId() tenantId: string, @Param('invite_id') id: string) {
    return renderInvite(await this.find(tenantId, id));
  }

  @Delete(':invite_id')
  @Answers(deleted('organization.invite'), 'Revoke an invite. Its record stays readable.')
  async delete(@TenantId() tenantId: string, @Actor() actor: string, @Param('invite_id') id: string) {
    return { id: await this.end(tenantId, id, actor), object: 'organization.invite', deleted: true };
  }
}

@Controller('v1/platform/invites')
@Access('operator')
export class OperatorInvitesController extends InvitesOf {
  constructor(invites: Invites) {
    super(invites);
  }

  @Post()
  @Answers(NewInviteObject, 'Invite an operator. Weir sends no email: give the token to the person, who accepts it within 7 days.')
  create(@Caller() caller: AdminCaller, @Actor() actor: string, @Body({ schema: InviteOperator }) { email }: InviteOperator) {
    return this.add(null, { email, role: 'operator', projectId: null }, caller, actor);
  }

  @Get()
  @Answers(listOf(InviteObject), 'List the invites of operators, including those that are over.')
  list(@Query({ schema: ListQuery }) query: ListQuery) {
    return this.search(null, query);
  }

  @Get(':operator_invite_id')
  @Answers(InviteObject, 'Read an invite of an operator.')
  async get(@Param('operator_invite_id') id: string) {
    return renderInvite(await this.find(null, id));
  }

  @Delete(':operator_invite_id')
  @Answers(deleted('platform.invite'), 'Revoke an invite of an operator. Its record stays readable.')
  async delete(@Actor() actor: string, @Param('operator_invite_id') id: string) {
    return { id: await this.end(null, id, actor), object: 'platform.invite', deleted: true };
  }
}
