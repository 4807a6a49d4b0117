import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { Secret } from '../../platform/crypto/index.js';
import { ProviderAccountsService, ProviderGrants } from '../../provider-accounts/index.js';
import { Access } from '../http/access.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { Capabilities } from '../providers/capabilities.js';
import { AddProviderKey, DeletedProviderKey, renderDeletedKey } from '../providers/keys.js';
import { accountChangesOf, UpdateProvider } from '../providers/schema.js';
import { renderGrant, renderPlatformCredential } from './render.js';
import { CreateGrant, CreatePlatformCredential, GrantObject, newPlatformAccountOf, PlatformCredentialObject } from './schema.js';

const CHANGE =
  'Update a platform provider. A new origin removes its stored keys unless the request has a new key. If you change the key or address of one that came from the environment, later starts do not change it.';

/** The platform's own providers, and which tenants may use them. */
@Controller('v1/platform/credentials')
@Access('operator')
export class PlatformCredentialsController {
  constructor(
    private readonly accounts: ProviderAccountsService,
    private readonly grants: ProviderGrants,
  ) {}

  @Post()
  @Answers(PlatformCredentialObject, 'Create a platform provider. Tenants with a grant call its models as `name/model-id`.')
  async create(@Body({ schema: CreatePlatformCredential }) body: CreatePlatformCredential) {
    return renderPlatformCredential(await this.accounts.create(null, newPlatformAccountOf(body)));
  }

  @Get()
  @Answers(listOf(PlatformCredentialObject), 'List the platform providers.')
  async list(@Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.accounts.list(null), 'provider', query);
    return renderList((await this.accounts.describe(items)).map(renderPlatformCredential), hasMore);
  }

  @Get(':credential_id')
  @Answers(PlatformCredentialObject, 'Read a platform provider.')
  async get(@Param('credential_id') id: string) {
    return renderPlatformCredential(await this.accounts.get(null, idOf('provider', id)));
  }

  @PostOrPatch(':credential_id')
  @Answers(PlatformCredentialObject, CHANGE)
  async update(@Param('credential_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    return renderPlatformCredential(await this.accounts.update(null, idOf('provider', id), accountChangesOf(body)));
  }

  @Post(':credential_id/probe')
  @Answers(
    Capabilities,
    'Check a platform provider with a few small requests. The result shows what it can do. The check costs a few hundred tokens, which are not booked.',
  )
  ask(@Param('credential_id') id: string) {
    return this.accounts.probe(null, idOf('provider', id));
  }

  @Delete(':credential_id')
  @Answers(
    deleted('platform_credential'),
    'Delete a platform provider that no platform route names. Its keys are destroyed and its grants end.',
  )
  async delete(@Param('credential_id') id: string) {
    await this.accounts.delete(null, idOf('provider', id));
    return { id, object: 'platform_credential', deleted: true };
  }

  @Post(':credential_id/keys')
  @Answers(PlatformCredentialObject, 'Add a key to a platform provider. Several keys are used in turn.')
  async addKey(@Param('credential_id') id: string, @Body({ schema: AddProviderKey }) body: AddProviderKey) {
    return renderPlatformCredential(await this.accounts.addKey(null, idOf('provider', id), new Secret(body.key)));
  }

  @Delete(':credential_id/keys/:credential_key_id')
  @Answers(DeletedProviderKey, 'Destroy one key of a platform provider. The answer names the routes that still name the key.')
  async removeKey(@Param('credential_id') id: string, @Param('credential_key_id') keyId: string) {
    return renderDeletedKey(keyId, await this.accounts.removeKey(null, idOf('provider', id), idOf('credential', keyId)));
  }

  @Get(':credential_id/grants')
  @Answers(listOf(GrantObject), 'List the tenants with a grant for a platform provider.')
  async listGrants(@Param('credential_id') id: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const providerId = idOf('provider', id);
    const tenants = (await this.grants.list(providerId)).map((tenantId) => ({ id: tenantId }));
    const { items, hasMore } = pageOf(tenants, 'tenant', query);
    return renderList(
      items.map((tenant) => renderGrant(tenant.id, providerId)),
      hasMore,
    );
  }

  @Post(':credential_id/grants')
  @Answers(GrantObject, 'Grant a platform provider to a tenant.')
  async grant(@Param('credential_id') id: string, @Body({ schema: CreateGrant }) { tenant }: CreateGrant) {
    const providerId = idOf('provider', id);
    await this.grants.grant(providerId, tenant);
    return renderGrant(tenant, providerId);
  }

  @Delete(':credential_id/grants/:tenant_id')
  @Answers(deleted('platform_credential.grant'), 'Revoke the grant of a tenant.')
  async revokeGrant(@Param('credential_id') id: string, @Param('tenant_id') tenantId: string) {
    await this.grants.revoke(idOf('provider', id), idOf('tenant', tenantId));
    return { id: tenantId, object: 'platform_credential.grant', deleted: true };
  }
}
