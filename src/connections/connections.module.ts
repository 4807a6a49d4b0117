import { Module } from '@nestjs/common';
import { ConnectionStore } from './connection-store.js';
import { ConnectionsRepository } from './connections.repository.js';
import { ConnectionsService } from './connections.service.js';
import { Logins } from './logins.js';
import { SubscriptionTokens } from './subscription-tokens.js';

@Module({
  providers: [ConnectionsRepository, ConnectionStore, Logins, ConnectionsService, SubscriptionTokens],
  exports: [ConnectionsRepository, ConnectionsService, SubscriptionTokens],
})
export class ConnectionsModule {}
