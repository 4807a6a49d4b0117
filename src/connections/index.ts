export type { Connection } from './connection.js';
export { ConnectionsModule } from './connections.module.js';
export { ConnectionsRepository } from './connections.repository.js';
export { ConnectionsService, type StartedLogin } from './connections.service.js';
export { type SubscriptionProvider, type SubscriptionToken, SubscriptionTokens } from './subscription-tokens.js';
