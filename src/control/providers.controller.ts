import { Body, Controller, Delete, Get, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { CredentialsRepository } from '../credentials/index.js';
import { publicId } from '../kernel/ids.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { DestinationGuard } from '../platform/egress/index.js';
import { addressIn, type ProviderRecord, ProvidersRepository } from '../providers/index.js';
import { Access } from './access.js';
import { TenantId } from './admin.js';
import { found, idOf } from './found.js';
import { ListQuery, listOf, pageOf, renderList } from './list.js';
import { baseUrlOf, checkGatewayOptions, knownType, refuseMock } from './provider-address.js';
import { secretOf } from './provider-credential.js';
import { Answers } from './route.js';
import { deleted } from './schemas/common.js';
import { CreateProvider, ProviderObject, renderProvider, UpdateProvider } from './schemas/provider.js';
import { Transactions } from './transactions.repository.js';

@Controller('v1/organization/providers')
@Access('tenant')
export class ProvidersController {
  constructor(
    private readonly providers: ProvidersRepository,
    private readonly credentials: CredentialsRepository,
    private readonly guard: DestinationGuard,
    private readonly transactions: Transactions,
    @Inject(CONFIG) private readonly config: Pick<Config, 'mock'>,
  ) {}

  @Post()
  @Answers(ProviderObject, 'Add a provider. Its models are then called `name/model-id`.')
  create(@TenantId() tenantId: string, @Body({ schema: CreateProvider }) body: CreateProvider) {
    const { type, baseUrl: own } = knownType(body.type);
    refuseMock(type, this.config.mock);
    checkGatewayOptions(type, body.gateway_options);
    const told = body.credential ? addressIn(body.credential) : null;
    const baseUrl = baseUrlOf(type, told ?? own, body.base_url, this.guard);
    const secret = secretOf(body, type, baseUrl, this.guard);
    return this.transactions.run(async (db) => {
      const provider = await this.providers.insert(
        {
          tenantId,
          name: body.name ?? body.type,
          type: type.slug,
          baseUrl,
          dialect: body.dialect ?? null,
          nativeTools: body.native_tools ?? null,
          quirks: body.quirks,
          gatewayOptions: body.gateway_options,
          models: body.models ?? ['*'],
        },
        db,
      );
      if (secret) await this.credentials.put(provider, secret, db);
      return renderProvider(provider, secret !== null);
    });
  }

  @Get()
  @Answers(listOf(ProviderObject), 'List the providers of the tenant.')
  async list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.providers.list(tenantId), 'provider', query);
    const withKey = await this.credentials.present(items.map((provider) => provider.id));
    return renderList(
      items.map((provider) => renderProvider(provider, withKey.has(provider.id))),
      hasMore,
    );
  }

  @Get(':provider_id')
  @Answers(ProviderObject, 'Read a provider.')
  async get(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return this.render(found('provider', await this.providers.find(tenantId, idOf('provider', id))));
  }

  @Post(':provider_id')
  @Answers(ProviderObject, 'Change a provider. Another origin drops the stored key unless a new one comes along: see has_key.')
  async update(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    const provider = await this.transactions.run(async (db) => {
      const before = found('provider', await this.providers.lock(tenantId, idOf('provider', id), db));
      const { type, baseUrl: own } = knownType(before.type);
      checkGatewayOptions(type, body.gateway_options);
      const baseUrl = body.base_url && baseUrlOf(type, own, body.base_url, this.guard);
      const secret = secretOf(body, type, baseUrl ?? before.baseUrl, this.guard);
      const after = await this.providers.update(
        before.id,
        {
          baseUrl,
          dialect: body.dialect,
          nativeTools: body.native_tools,
          quirks: body.quirks,
          gatewayOptions: body.gateway_options,
          models: body.models,
        },
        db,
      );
      if (secret) await this.credentials.put(after, secret, db);
      else if (body.key === null || new URL(after.baseUrl).origin !== new URL(before.baseUrl).origin)
        await this.credentials.drop(after.id, db);
      return after;
    });
    return this.render(provider);
  }

  @Patch(':provider_id')
  @Answers(ProviderObject, 'Change a provider. Another origin drops the stored key unless a new one comes along: see has_key.')
  patch(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    return this.update(tenantId, id, body);
  }

  @Delete(':provider_id')
  @Answers(deleted('provider'), 'Remove a provider and destroy its key.')
  delete(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return this.transactions.run(async (db) => {
      const provider = found('provider', await this.providers.lock(tenantId, idOf('provider', id), db));
      await this.credentials.drop(provider.id, db);
      await this.providers.delete(provider.id, db);
      return { id: publicId('provider', provider.id), object: 'provider', deleted: true };
    });
  }

  private async render(provider: ProviderRecord) {
    return renderProvider(provider, (await this.credentials.present([provider.id])).has(provider.id));
  }
}
