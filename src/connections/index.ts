export type { Connection } from './connection.js';
export { ConnectionsModule } from './connections.module.js';
export { ConnectionsRepository } from './connections.repository.js';
export { ConnectionsService, type StartedLogin } from './connections.service.js';
export { type SeatProvider, type SeatToken, SeatTokens } from './seat-tokens.js';
