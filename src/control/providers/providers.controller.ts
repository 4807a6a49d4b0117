import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { Secret } from '../../platform/crypto/index.js';
import { ProviderAccountsService } from '../../provider-accounts/index.js';
import { Access } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { Capabilities } from './capabilities.js';
import { AddProviderKey, DeletedProviderKey, renderDeletedKey } from './keys.js';
import { renderProvider } from './render.js';
import { accountChangesOf, CreateProvider, newAccountOf, ProviderObject, UpdateProvider } from './schema.js';

@Controller('v1/organization/providers')
@Access('providers')
export class ProvidersController {
  constructor(private readonly accounts: ProviderAccountsService) {}

  @Post()
  @Answers(ProviderObject, 'Create a provider. Its models are called `name/model-id`.')
  async create(@TenantId() tenantId: string, @Body({ schema: CreateProvider }) body: CreateProvider) {
    return renderProvider(await this.accounts.create(tenantId, newAccountOf(body)));
  }

  @Get()
  @Answers(listOf(ProviderObject), 'List the providers of the tenant.')
  async list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.accounts.list(tenantId), 'provider', query);
    return renderList((await this.accounts.describe(items)).map(renderProvider), hasMore);
  }

  @Get(':provider_id')
  @Answers(ProviderObject, 'Read a provider.')
  async get(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return renderProvider(await this.accounts.get(tenantId, idOf('provider', id)));
  }

  @PostOrPatch(':provider_id')
  @Answers(
    ProviderObject,
    'Update a provider. A new origin removes its connection, and its stored keys unless the request has a new key: see awaits_key.',
  )
  async update(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    return renderProvider(await this.accounts.update(tenantId, idOf('provider', id), accountChangesOf(body)));
  }

  @Post(':provider_id/probe')
  @Answers(
    Capabilities,
    'Check a provider with a few small requests. The result shows what it can do. The check costs a few hundred tokens, which are not booked.',
  )
  ask(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return this.accounts.probe(tenantId, idOf('provider', id));
  }

  @Delete(':provider_id')
  @Answers(deleted('provider'), 'Delete a provider that no route names. Its keys and its connection are destroyed.')
  async delete(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    await this.accounts.delete(tenantId, idOf('provider', id));
    return { id, object: 'provider', deleted: true };
  }

  @Post(':provider_id/keys')
  @Answers(ProviderObject, 'Add a key to a provider. Several keys are used in turn.')
  async addKey(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: AddProviderKey }) body: AddProviderKey) {
    return renderProvider(await this.accounts.addKey(tenantId, idOf('provider', id), new Secret(body.key)));
  }

  @Delete(':provider_id/keys/:provider_key_id')
  @Answers(DeletedProviderKey, 'Destroy one key of a provider. The answer names the routes that still name the key.')
  async removeKey(@TenantId() tenantId: string, @Param('provider_id') id: string, @Param('provider_key_id') keyId: string) {
    return renderDeletedKey(keyId, await this.accounts.removeKey(tenantId, idOf('provider', id), idOf('credential', keyId)));
  }
}
