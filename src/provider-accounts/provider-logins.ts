import { Injectable } from '@nestjs/common';
import { type Connection, ConnectionsRepository, ConnectionsService, type StartedLogin } from '../connections/index.js';
import { found } from '../kernel/found.js';
import type { Id } from '../kernel/ids.js';
import { type ProviderRecord, ProvidersRepository } from '../providers/index.js';

/** Providers that a tenant connects by a person's login instead of a key. */
@Injectable()
export class ProviderLogins {
  constructor(
    private readonly providers: ProvidersRepository,
    private readonly connections: ConnectionsService,
    private readonly repository: ConnectionsRepository,
  ) {}

  /** Replaces a connection that was there. @throws WeirError not_found, or as `ConnectionsService.start` */
  async connect(tenantId: Id, providerId: Id): Promise<StartedLogin> {
    return this.connections.start(await this.provider(tenantId, providerId));
  }

  /** Asks the vendor once, if it is time to. @throws WeirError not_found, or as `ConnectionsService.poll` */
  async poll(tenantId: Id, providerId: Id): Promise<Connection> {
    return found('connection', await this.connections.poll(await this.provider(tenantId, providerId)));
  }

  /** @throws WeirError not_found */
  async get(tenantId: Id, providerId: Id): Promise<Connection> {
    return found('connection', await this.connections.find(await this.provider(tenantId, providerId)));
  }

  /** Destroys its tokens. Answers the id of the connection. @throws WeirError not_found */
  async disconnect(tenantId: Id, providerId: Id): Promise<Id> {
    const { id } = await this.get(tenantId, providerId);
    await this.repository.drop(tenantId, providerId);
    return id;
  }

  private async provider(tenantId: Id, id: Id): Promise<ProviderRecord> {
    return found('provider', await this.providers.find(tenantId, id));
  }
}
