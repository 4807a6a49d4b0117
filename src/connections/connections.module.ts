import { Module } from '@nestjs/common';
import { ConnectionStore } from './connection-store.js';
import { ConnectionsRepository } from './connections.repository.js';
import { ConnectionsService } from './connections.service.js';
import { Logins } from './logins.js';
import { SeatTokens } from './seat-tokens.js';

@Module({
  providers: [ConnectionsRepository, ConnectionStore, Logins, ConnectionsService, SeatTokens],
  exports: [ConnectionsRepository, ConnectionsService, SeatTokens],
})
export class ConnectionsModule {}
