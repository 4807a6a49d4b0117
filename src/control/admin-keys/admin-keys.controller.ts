import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { type AdminKey, AdminKeysService } from '../../api-keys/index.js';
import { found } from '../../kernel/found.js';
import { parsePublicId, publicId } from '../../kernel/ids.js';
import { RotateKey } from '../api-keys/rotation.js';
import { Access } from '../http/access.js';
import { Actor, TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { Answers } from '../http/route.js';
import { renderAdminKey } from './render.js';
import { AdminKeyObject, CreateAdminKey, NewAdminKeyObject } from './schema.js';

/** What the keys of an owner, a tenant or the platform (null), have in common. */
abstract class AdminKeys {
  constructor(protected readonly keys: AdminKeysService) {}

  protected async add(owner: string | null, { name }: CreateAdminKey): Promise<z.input<typeof NewAdminKeyObject>> {
    const { adminKey, value } = await this.keys.create(owner, name);
    return { ...renderAdminKey(adminKey), value };
  }

  protected async search(owner: string | null, query: ListQuery) {
    const { items, hasMore } = pageOf(await this.keys.list(owner), 'adminKey', query);
    return renderList(items.map(renderAdminKey), hasMore);
  }

  protected async find(owner: string | null, id: string): Promise<AdminKey> {
    const known = parsePublicId('adminKey', id);
    return found(owner === null ? 'operatorKey' : 'adminKey', known === null ? null : await this.keys.find(owner, known));
  }

  protected async replace(owner: string | null, id: string, { overlap_seconds }: RotateKey, actor: string) {
    const key = await this.find(owner, id);
    const value = await this.keys.rotate(owner, key.id, overlap_seconds, actor);
    return { ...renderAdminKey(await this.find(owner, id)), value };
  }

  protected async end(owner: string | null, id: string, actor: string): Promise<AdminKey> {
    await this.keys.revoke(owner, (await this.find(owner, id)).id, actor);
    return this.find(owner, id);
  }
}

/** Keys of a tenant's admins. */
@Controller('v1/organization/admin_api_keys')
@Access('admin_keys')
export class AdminKeysController extends AdminKeys {
  constructor(keys: AdminKeysService) {
    super(keys);
  }

  @Post()
  @Answers(NewAdminKeyObject, 'Create an admin key of the tenant. Its value is shown only once.')
  create(@TenantId() tenantId: string, @Body({ schema: CreateAdminKey }) body: CreateAdminKey) {
    return this.add(tenantId, body);
  }

  @Get()
  @Answers(listOf(AdminKeyObject), 'List the admin keys of the tenant, including revoked ones.')
  list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    return this.search(tenantId, query);
  }

  @Get(':admin_key_id')
  @Answers(AdminKeyObject, 'Read an admin key.')
  async get(@TenantId() tenantId: string, @Param('admin_key_id') id: string) {
    return renderAdminKey(await this.find(tenantId, id));
  }

  @Post(':admin_key_id/rotate')
  @Answers(NewAdminKeyObject, 'Rotate an admin key. The new value is shown only once. The old value keeps working for a while.')
  rotate(
    @TenantId() tenantId: string,
    @Actor() actor: string,
    @Param('admin_key_id') id: string,
    @Body({ schema: RotateKey }) body: RotateKey,
  ) {
    return this.replace(tenantId, id, body, actor);
  }

  @Post(':admin_key_id/revoke')
  @Answers(AdminKeyObject, 'Revoke an admin key permanently.')
  async revoke(@TenantId() tenantId: string, @Actor() actor: string, @Param('admin_key_id') id: string) {
    return renderAdminKey(await this.end(tenantId, id, actor));
  }

  @Delete(':admin_key_id')
  @Answers(deleted('admin_api_key'), 'Revoke an admin key permanently. Its record stays readable.')
  async delete(@TenantId() tenantId: string, @Actor() actor: string, @Param('admin_key_id') id: string) {
    return { id: publicId('adminKey', (await this.end(tenantId, id, actor)).id), object: 'admin_api_key', deleted: true };
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
  create(@Body({ schema: CreateAdminKey }) body: CreateAdminKey) {
    return this.add(null, body);
  }

  @Get()
  @Answers(listOf(AdminKeyObject), 'List the operator keys, including revoked ones.')
  list(@Query({ schema: ListQuery }) query: ListQuery) {
    return this.search(null, query);
  }

  @Get(':operator_key_id')
  @Answers(AdminKeyObject, 'Read an operator key.')
  async get(@Param('operator_key_id') id: string) {
    return renderAdminKey(await this.find(null, id));
  }

  @Post(':operator_key_id/rotate')
  @Answers(NewAdminKeyObject, 'Rotate an operator key. The new value is shown only once. The old value keeps working for a while.')
  rotate(@Actor() actor: string, @Param('operator_key_id') id: string, @Body({ schema: RotateKey }) body: RotateKey) {
    return this.replace(null, id, body, actor);
  }

  @Post(':operator_key_id/revoke')
  @Answers(AdminKeyObject, 'Revoke an operator key permanently. The last valid operator key cannot be revoked.')
  async revoke(@Actor() actor: string, @Param('operator_key_id') id: string) {
    return renderAdminKey(await this.end(null, id, actor));
  }

  @Delete(':operator_key_id')
  @Answers(
    deleted('operator_key'),
    'Revoke an operator key permanently. Its record stays readable. The last valid operator key cannot be revoked.',
  )
  async delete(@Actor() actor: string, @Param('operator_key_id') id: string) {
    return { id: publicId('adminKey', (await this.end(null, id, actor)).id), object: 'operator_key', deleted: true };
  }
}
