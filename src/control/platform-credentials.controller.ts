import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { CredentialsRepository } from '../credentials/index.js';
import { publicId } from '../kernel/ids.js';
import { type ProviderRecord, ProvidersRepository } from '../providers/index.js';
import { TenantsRepository } from '../tenants/index.js';
import { Access } from './access.js';
import { found, idOf } from './found.js';
import { ListQuery, listOf, pageOf, renderList } from './list.js';
import { Answers } from './route.js';
import { deleted } from './schemas/common.js';
import {
  CreateGrant,
  GrantObject,
  PlatformCredentialObject,
  renderGrant,
  renderPlatformCredential,
} from './schemas/platform-credential.js';

/** The platform's own providers, and which tenants may use them. */
@Controller('v1/platform/credentials')
@Access('operator')
export class PlatformCredentialsController {
  constructor(
    private readonly providers: ProvidersRepository,
    private readonly credentials: CredentialsRepository,
    private readonly tenants: TenantsRepository,
  ) {}

  @Get()
  @Answers(listOf(PlatformCredentialObject), "List the platform's credentials.")
  async list(@Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.providers.list(null), 'provider', query);
    const keys = await this.credentials.summaries(items.map((provider) => provider.id));
    return renderList(
      items.map((provider) => renderPlatformCredential(provider, keys.get(provider.id))),
      hasMore,
    );
  }

  @Get(':credential_id')
  @Answers(PlatformCredentialObject, 'Read a platform credential.')
  async get(@Param('credential_id') id: string) {
    const provider = await this.find(id);
    return renderPlatformCredential(provider, (await this.credentials.summaries([provider.id])).get(provider.id));
  }

  @Get(':credential_id/grants')
  @Answers(listOf(GrantObject), 'List the tenants that may use a platform credential.')
  async listGrants(@Param('credential_id') id: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const provider = await this.find(id);
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
    const provider = await this.find(id);
    const tenant = found('tenant', await this.tenants.find(body.tenant), 'tenant');
    await this.providers.grant(tenant.id, provider.id);
    return renderGrant(tenant.id, provider.id);
  }

  @Delete(':credential_id/grants/:tenant_id')
  @Answers(deleted('platform_credential.grant'), 'Stop a tenant from using a platform credential.')
  async revokeGrant(@Param('credential_id') id: string, @Param('tenant_id') tenantId: string) {
    const provider = await this.find(id);
    const tenant = found('tenant', await this.tenants.find(idOf('tenant', tenantId)));
    await this.providers.revokeGrant(tenant.id, provider.id);
    return { id: publicId('tenant', tenant.id), object: 'platform_credential.grant', deleted: true };
  }

  private async find(id: string): Promise<ProviderRecord> {
    return found('provider', await this.providers.find(null, idOf('provider', id)));
  }
}
