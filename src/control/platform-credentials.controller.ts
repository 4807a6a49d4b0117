import { Body, Controller, Delete, Get, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { publicId } from '../kernel/ids.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { ProvidersRepository } from '../providers/index.js';
import { TenantsRepository } from '../tenants/index.js';
import { Access } from './access.js';
import { discover } from './discovery.js';
import { idOf } from './found.js';
import { ListQuery, listOf, pageOf, renderList } from './list.js';
import { ProviderRecords } from './provider-records.js';
import { Answers } from './route.js';
import { deleted } from './schemas/common.js';
import {
  CreateGrant,
  CreatePlatformCredential,
  GrantObject,
  PlatformCredentialObject,
  renderGrant,
  renderPlatformCredential,
} from './schemas/platform-credential.js';
import { UpdateProvider } from './schemas/provider.js';
import { AddProviderKey } from './schemas/provider-key.js';
import { Capabilities } from './schemas/provider-probe.js';

const CHANGE =
  'Change a platform credential. Another origin drops the stored keys unless a new one comes along. One found in the environment, whose key or address is changed, is left alone by later starts.';

/** The platform's own providers, and which tenants may use them. */
@Controller('v1/platform/credentials')
@Access('operator')
export class PlatformCredentialsController {
  constructor(
    private readonly records: ProviderRecords,
    private readonly providers: ProvidersRepository,
    private readonly tenants: TenantsRepository,
    @Inject(CONFIG) private readonly config: Pick<Config, 'environment'>,
  ) {}

  @Post()
  @Answers(PlatformCredentialObject, 'Add a provider of the platform. Tenants that are granted it call its models by `name/model-id`.')
  async create(@Body({ schema: CreatePlatformCredential }) { from_existing, ...body }: CreatePlatformCredential) {
    const discovered = from_existing ? discover(body.type, this.config.environment) : null;
    return renderPlatformCredential(await this.records.create(null, body, discovered));
  }

  @Get()
  @Answers(listOf(PlatformCredentialObject), "List the platform's credentials.")
  async list(@Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = await this.records.list(null, query);
    return renderList(items.map(renderPlatformCredential), hasMore);
  }

  @Get(':credential_id')
  @Answers(PlatformCredentialObject, 'Read a platform credential.')
  async get(@Param('credential_id') id: string) {
    return renderPlatformCredential(await this.records.get(null, id));
  }

  @Post(':credential_id')
  @Answers(PlatformCredentialObject, CHANGE)
  async update(@Param('credential_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    return renderPlatformCredential(await this.records.update(null, id, body));
  }

  @Patch(':credential_id')
  @Answers(PlatformCredentialObject, CHANGE)
  patch(@Param('credential_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    return this.update(id, body);
  }

  @Post(':credential_id/probe')
  @Answers(
    Capabilities,
    'Ask a platform provider a few small questions to see what it can do. Costs some hundred tokens, which are not booked.',
  )
  ask(@Param('credential_id') id: string) {
    return this.records.ask(null, id);
  }

  @Delete(':credential_id')
  @Answers(deleted('platform_credential'), 'Remove a provider of the platform, destroy its keys and end its grants.')
  async delete(@Param('credential_id') id: string) {
    return { id: publicId('provider', await this.records.delete(null, id)), object: 'platform_credential', deleted: true };
  }

  @Post(':credential_id/keys')
  @Answers(PlatformCredentialObject, 'Add a key to those a platform provider has. They are used in turn.')
  async addKey(@Param('credential_id') id: string, @Body({ schema: AddProviderKey }) body: AddProviderKey) {
    return renderPlatformCredential(await this.records.addKey(null, id, body));
  }

  @Delete(':credential_id/keys/:credential_key_id')
  @Answers(deleted('provider.key'), 'Destroy one key of a platform provider.')
  async removeKey(@Param('credential_id') id: string, @Param('credential_key_id') keyId: string) {
    return { id: publicId('credential', await this.records.removeKey(null, id, keyId)), object: 'provider.key', deleted: true };
  }

  @Get(':credential_id/grants')
  @Answers(listOf(GrantObject), 'List the tenants that may use a platform credential.')
  async listGrants(@Param('credential_id') id: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const provider = await this.records.find(null, id);
    const tenants = (await this.providers.grantees(provider.id)).map((tenantId) => ({ id: tenantId }));
    const { items, hasMore } = pageOf(tenants, 'tenant', query);
    return renderList(
      items.map((tenant) => renderGrant(tenant.id, provider.id)),
      hasMore,
    );
  }

  @Post(':credential_id/grants')
  @Answers(GrantObject, 'Let a tenant use a platform credential.')
  async grant(@Param('credential_id') id: string, @Body({ schema: CreateGrant }) body: CreateGrant) {
    const provider = await this.records.find(null, id);
    const tenant = await this.tenants.existing(body.tenant, 'tenant');
    await this.providers.grant(tenant.id, provider.id);
    return renderGrant(tenant.id, provider.id);
  }

  @Delete(':credential_id/grants/:tenant_id')
  @Answers(deleted('platform_credential.grant'), 'Stop a tenant from using a platform credential.')
  async revokeGrant(@Param('credential_id') id: string, @Param('tenant_id') tenantId: string) {
    const provider = await this.records.find(null, id);
    const tenant = await this.tenants.existing(idOf('tenant', tenantId));
    await this.providers.revokeGrant(tenant.id, provider.id);
    return { id: publicId('tenant', tenant.id), object: 'platform_credential.grant', deleted: true };
  }
}
