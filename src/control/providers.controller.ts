import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { publicId } from '../kernel/ids.js';
import { Access } from './access.js';
import { TenantId } from './admin.js';
import { ListQuery, listOf, renderList } from './list.js';
import { ProviderRecords } from './provider-records.js';
import { Answers } from './route.js';
import { deleted } from './schemas/common.js';
import { CreateProvider, ProviderObject, renderProvider, UpdateProvider } from './schemas/provider.js';
import { AddProviderKey } from './schemas/provider-key.js';
import { Capabilities } from './schemas/provider-probe.js';

@Controller('v1/organization/providers')
@Access('tenant')
export class ProvidersController {
  constructor(private readonly records: ProviderRecords) {}

  @Post()
  @Answers(ProviderObject, 'Add a provider. Its models are then called `name/model-id`.')
  async create(@TenantId() tenantId: string, @Body({ schema: CreateProvider }) body: CreateProvider) {
    return renderProvider(await this.records.create(tenantId, body));
  }

  @Get()
  @Answers(listOf(ProviderObject), 'List the providers of the tenant.')
  async list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = await this.records.list(tenantId, query);
    return renderList(items.map(renderProvider), hasMore);
  }

  @Get(':provider_id')
  @Answers(ProviderObject, 'Read a provider.')
  async get(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return renderProvider(await this.records.get(tenantId, id));
  }

  @Post(':provider_id')
  @Answers(
    ProviderObject,
    'Change a provider. Another origin drops its connection, and the stored keys unless a new one comes along: see awaits_key.',
  )
  async update(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    return renderProvider(await this.records.update(tenantId, id, body));
  }

  @Patch(':provider_id')
  @Answers(
    ProviderObject,
    'Change a provider. Another origin drops its connection, and the stored keys unless a new one comes along: see awaits_key.',
  )
  patch(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    return this.update(tenantId, id, body);
  }

  @Post(':provider_id/probe')
  @Answers(Capabilities, 'Ask a provider a few small questions to see what it can do. Costs some hundred tokens, which are not booked.')
  ask(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return this.records.ask(tenantId, id);
  }

  @Delete(':provider_id')
  @Answers(deleted('provider'), 'Remove a provider and destroy its key and its connection.')
  async delete(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return { id: publicId('provider', await this.records.delete(tenantId, id)), object: 'provider', deleted: true };
  }

  @Post(':provider_id/keys')
  @Answers(ProviderObject, 'Add a key to those a provider has. They are used in turn.')
  async addKey(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: AddProviderKey }) body: AddProviderKey) {
    return renderProvider(await this.records.addKey(tenantId, id, body));
  }

  @Delete(':provider_id/keys/:provider_key_id')
  @Answers(deleted('provider.key'), 'Destroy one key of a provider.')
  async removeKey(@TenantId() tenantId: string, @Param('provider_id') id: string, @Param('provider_key_id') keyId: string) {
    return { id: publicId('credential', await this.records.removeKey(tenantId, id, keyId)), object: 'provider.key', deleted: true };
  }
}
