import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { type AdminKey, type AdminKeyRights, AdminKeysService, type NewAdminKey } from '../../api-keys/index.js';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { WeirError } from '../../kernel/errors.js';
import { found } from '../../kernel/found.js';
import { parsePublicId, publicId } from '../../kernel/ids.js';
import { TenantsRepository } from '../../tenants/index.js';
import { RotateKey } from '../api-keys/rotation.js';
import { Access, KeepsToProject } from '../http/access.js';
import { Actor, Caller, ProjectId, TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { assertMayEnd, assertWithin, rightsOf } from './reach.js';
import { renderAdminKey } from './render.js';
import { AdminKeyObject, CreateAdminKey, CreateOperatorKey, NewAdminKeyObject, UpdateAdminKey, UpdateOperatorKey } from './schema.js';

/** What the keys of an owner, a tenant or the platform (null), have in common. */
abstract class AdminKeys {
  constructor(protected readonly keys: AdminKeysService) {}

  protected async add(owner: string | null, caller: AdminCaller, key: NewAdminKey): Promise<z.input<typeof NewAdminKeyObject>> {
    const { role, projectId, cidrs, expiresAt } = { ...rightsOf(caller, owner), ...key };
    const rights = { role, projectId, cidrs, expiresAt };
    assertWithin(caller, owner, rights);
    assertProjectFits(rights);
    const { adminKey, value } = await this.keys.create(owner, { name: key.name, ...rights });
    return { ...renderAdminKey(adminKey), value };
  }

  protected async search(owner: string | null, projectId: string | null, query: ListQuery) {
    const { items, hasMore } = pageOf(await this.keys.list(owner, projectId), 'adminKey', query);
    return renderList(items.map(renderAdminKey), hasMore);
  }

  /** One of another project is as unknown to a caller of one project as one of another tenant. */
  protected async find(owner: string | null, projectId: string | null, id: string): Promise<AdminKey> {
    const known = parsePublicId('adminKey', id);
    const key = known === null ? null : await this.keys.find(owner, known);
    return found(owner === null ? 'operatorKey' : 'adminKey', projectId === null || key?.projectId === projectId ? key : null);
  }

  protected async change(owner: string | null, caller: AdminCaller, key: AdminKey, changes: Partial<NewAdminKey>): Promise<AdminKey> {
    const after = { ...key, ...changes };
    assertWithin(caller, owner, key);
    assertWithin(caller, owner, after);
    assertProjectFits(after);
    await this.keys.update(owner, key.id, changes);
    return found('adminKey', await this.keys.find(owner, key.id));
  }

  protected async replace(owner: string | null, caller: AdminCaller, key: AdminKey, { overlap_seconds }: RotateKey, actor: string) {
    assertWithin(caller, owner, key);
    const value = await this.keys.rotate(owner, key.id, overlap_seconds, actor);
    return { ...renderAdminKey(found('adminKey', await this.keys.find(owner, key.id))), value };
  }

  protected async end(owner: string | null, caller: AdminCaller, key: AdminKey, actor: string): Promise<AdminKey> {
    assertMayEnd(caller, key);
    await this.keys.revoke(owner, key.id, actor);
    return found('adminKey', await this.keys.find(owner, key.id));
  }
}

/** @throws WeirError invalid_request */
function assertProjectFits({ role, projectId }: AdminKeyRights): void {
  if (role === 'developer' && projectId === null)
    throw new WeirError('invalid_request', { param: 'project_id', message: 'A developer works in one project. Send its "project_id".' });
}

const rightsIn = ({ name, cidrs, expires_at: expiresAt }: UpdateOperatorKey) => ({
  ...(name !== undefined && { name }),
  ...(cidrs !== undefined && { cidrs }),
  ...(expiresAt !== undefined && { expiresAt }),
});

/** Keys of a tenant's admins. */
@Controller('v1/organization/admin_api_keys')
@Access('admin_keys')
@KeepsToProject(true)
export class AdminKeysController extends AdminKeys {
  constructor(
    keys: AdminKeysService,
    private readonly tenants: TenantsRepository,
  ) {
    super(keys);
  }

  @Post()
  @Answers(
    NewAdminKeyObject,
    'Create an admin key of the tenant. Its value is shown only once. It may do no more than the key that makes it.',
  )
  async create(@TenantId() tenantId: string, @Caller() caller: AdminCaller, @Body({ schema: CreateAdminKey }) body: CreateAdminKey) {
    return this.add(tenantId, caller, { name: body.name, ...(await this.changesIn(tenantId, body)) });
  }

  @Get()
  @Answers(listOf(AdminKeyObject), 'List the admin keys of the tenant, including revoked ones.')
  list(@TenantId() tenantId: string, @ProjectId() only: string | null, @Query({ schema: ListQuery }) query: ListQuery) {
    return this.search(tenantId, only, query);
  }

  @Get(':admin_key_id')
  @Answers(AdminKeyObject, 'Read an admin key.')
  async get(@TenantId() tenantId: string, @ProjectId() only: string | null, @Param('admin_key_id') id: string) {
    return renderAdminKey(await this.find(tenantId, only, id));
  }

  @PostOrPatch(':admin_key_id')
  @Answers(AdminKeyObject, 'Update an admin key. Nobody gives a key more than they may do themselves.')
  async update(
    @TenantId() tenantId: string,
    @ProjectId() only: string | null,
    @Caller() caller: AdminCaller,
    @Param('admin_key_id') id: string,
    @Body({ schema: UpdateAdminKey }) body: UpdateAdminKey,
  ) {
    const key = await this.find(tenantId, only, id);
    return renderAdminKey(await this.change(tenantId, caller, key, await this.changesIn(tenantId, body)));
  }

  @Post(':admin_key_id/rotate')
  @Answers(NewAdminKeyObject, 'Rotate an admin key. The new value is shown only once. The old value keeps working for a while.')
  async rotate(
    @TenantId() tenantId: string,
    @ProjectId() only: string | null,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('admin_key_id') id: string,
    @Body({ schema: RotateKey }) body: RotateKey,
  ) {
    return this.replace(tenantId, caller, await this.find(tenantId, only, id), body, actor);
  }

  @Post(':admin_key_id/revoke')
  @Answers(AdminKeyObject, 'Revoke an admin key permanently.')
  async revoke(
    @TenantId() tenantId: string,
    @ProjectId() only: string | null,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('admin_key_id') id: string,
  ) {
    return renderAdminKey(await this.end(tenantId, caller, await this.find(tenantId, only, id), actor));
  }

  @Delete(':admin_key_id')
  @Answers(deleted('admin_api_key'), 'Revoke an admin key permanently. Its record stays readable.')
  async delete(
    @TenantId() tenantId: string,
    @ProjectId() only: string | null,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('admin_key_id') id: string,
  ) {
    const key = await this.end(tenantId, caller, await this.find(tenantId, only, id), actor);
    return { id: publicId('adminKey', key.id), object: 'admin_api_key', deleted: true };
  }

  private async changesIn(tenantId: string, body: UpdateAdminKey) {
    const { role, project_id: projectId } = body;
    if (projectId) found('project', await this.tenants.findProject(tenantId, projectId), 'project_id');
    return { ...rightsIn(body), ...(role !== undefined && { role }), ...(projectId !== undefined && { projectId }) };
  }
}

/** Keys of the platform's operators. */
@Controller('v1/platform/operator_keys')
@Access('operator')
export class OperatorKeysController extends AdminKeys {
  constructor(keys: AdminKeysService) {
    super(keys);
  }

  @Post()
  @Answers(NewAdminKeyObject, 'Create an operator key. Its value is shown only once.')
  create(@Caller() caller: AdminCaller, @Body({ schema: CreateOperatorKey }) body: CreateOperatorKey) {
    return this.add(null, caller, { name: body.name, ...rightsIn(body) });
  }

  @Get()
  @Answers(listOf(AdminKeyObject), 'List the operator keys, including revoked ones.')
  list(@Query({ schema: ListQuery }) query: ListQuery) {
    return this.search(null, null, query);
  }

  @Get(':operator_key_id')
  @Answers(AdminKeyObject, 'Read an operator key.')
  async get(@Param('operator_key_id') id: string) {
    return renderAdminKey(await this.find(null, null, id));
  }

  @PostOrPatch(':operator_key_id')
  @Answers(AdminKeyObject, 'Update an operator key. The last one that works cannot be given an end.')
  async update(
    @Caller() caller: AdminCaller,
    @Param('operator_key_id') id: string,
    @Body({ schema: UpdateOperatorKey }) body: UpdateOperatorKey,
  ) {
    return renderAdminKey(await this.change(null, caller, await this.find(null, null, id), rightsIn(body)));
  }

  @Post(':operator_key_id/rotate')
  @Answers(NewAdminKeyObject, 'Rotate an operator key. The new value is shown only once. The old value keeps working for a while.')
  async rotate(
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('operator_key_id') id: string,
    @Body({ schema: RotateKey }) body: RotateKey,
  ) {
    return this.replace(null, caller, await this.find(null, null, id), body, actor);
  }

  @Post(':operator_key_id/revoke')
  @Answers(AdminKeyObject, 'Revoke an operator key permanently. The last valid operator key cannot be revoked.')
  async revoke(@Caller() caller: AdminCaller, @Actor() actor: string, @Param('operator_key_id') id: string) {
    return renderAdminKey(await this.end(null, caller, await this.find(null, null, id), actor));
  }

  @Delete(':operator_key_id')
  @Answers(
    deleted('operator_key'),
    'Revoke an operator key permanently. Its record stays readable. The last valid operator key cannot be revoked.',
  )
  async delete(@Caller() caller: AdminCaller, @Actor() actor: string, @Param('operator_key_id') id: string) {
    const key = await this.end(null, caller, await this.find(null, null, id), actor);
    return { id: publicId('adminKey', key.id), object: 'operator_key', deleted: true };
  }
}
