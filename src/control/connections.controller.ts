import { Controller, Delete, Get, Param, Post } from '@nestjs/common';
import { ConnectionsRepository, ConnectionsService } from '../connections/index.js';
import { publicId } from '../kernel/ids.js';
import { type ProviderRecord, ProvidersRepository } from '../providers/index.js';
import { Access } from './access.js';
import { TenantId } from './admin.js';
import { found, idOf } from './found.js';
import { Answers } from './route.js';
import { deleted } from './schemas/common.js';
import { ConnectionObject, renderConnection, renderStarted, StartedConnectionObject } from './schemas/connection.js';

/** Providers that are used by a person's login instead of a key. */
@Controller('v1/organization/providers/:provider_id/connection')
@Access('tenant')
export class ConnectionsController {
  constructor(
    private readonly providers: ProvidersRepository,
    private readonly connections: ConnectionsService,
    private readonly repository: ConnectionsRepository,
  ) {}

  @Post()
  @Answers(StartedConnectionObject, 'Begin to connect a provider by login, replacing any connection. A person then enters the code.')
  async start(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return renderStarted(await this.connections.start(await this.provider(tenantId, id)));
  }

  @Post('poll')
  @Answers(ConnectionObject, 'Ask the vendor once whether the code was entered, if it is time to.')
  async poll(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return renderConnection(found('connection', await this.connections.poll(await this.provider(tenantId, id))));
  }

  @Get()
  @Answers(ConnectionObject, 'Read the connection of a provider.')
  async get(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return renderConnection(found('connection', await this.connections.find(await this.provider(tenantId, id))));
  }

  @Delete()
  @Answers(
    deleted('provider.connection'),
    'Disconnect a provider and destroy its tokens. Weir does not revoke the login at the vendor: do that there.',
  )
  async delete(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    const provider = await this.provider(tenantId, id);
    const connection = found('connection', await this.connections.find(provider));
    await this.repository.drop(tenantId, provider.id);
    return { id: publicId('connection', connection.id), object: 'provider.connection', deleted: true };
  }

  private async provider(tenantId: string, id: string): Promise<ProviderRecord> {
    return found('provider', await this.providers.find(tenantId, idOf('provider', id)));
  }
}
