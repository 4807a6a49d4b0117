import { Controller, Delete, Get, Param, Post } from '@nestjs/common';
import { publicId } from '../../kernel/ids.js';
import { ProviderLogins } from '../../provider-accounts/index.js';
import { Access } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { idOf } from '../http/path-id.js';
import { Answers } from '../http/route.js';
import { renderConnection, renderStarted } from './render.js';
import { ConnectionObject, StartedConnectionObject } from './schema.js';

/** Providers that are used by a person's login instead of a key. */
@Controller('v1/organization/providers/:provider_id/connection')
@Access('providers')
export class ConnectionsController {
  constructor(private readonly logins: ProviderLogins) {}

  @Post()
  @Answers(StartedConnectionObject, 'Start a login for a provider. It replaces an existing connection. A person then enters the code.')
  async start(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return renderStarted(await this.logins.connect(tenantId, idOf('provider', id)));
  }

  @Post('poll')
  @Answers(
    ConnectionObject,
    'Check once whether the person has entered the code. The vendor is only asked when its polling interval has passed.',
  )
  async poll(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return renderConnection(await this.logins.poll(tenantId, idOf('provider', id)));
  }

  @Get()
  @Answers(ConnectionObject, 'Read the connection of a provider.')
  async get(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return renderConnection(await this.logins.get(tenantId, idOf('provider', id)));
  }

  @Delete()
  @Answers(
    deleted('provider.connection'),
    'Disconnect a provider and destroy its tokens. Weir does not revoke the login at the vendor: do that there.',
  )
  async delete(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    const connectionId = await this.logins.disconnect(tenantId, idOf('provider', id));
    return { id: publicId('connection', connectionId), object: 'provider.connection', deleted: true };
  }
}
