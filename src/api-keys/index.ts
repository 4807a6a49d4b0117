export type { AdminKey, AdminKeyRights, NewAdminKey } from './admin-key.js';
export { AdminKeysService } from './admin-keys.service.js';
export type { ApiKey, Caller } from './api-key.js';
export { ApiKeysModule } from './api-keys.module.js';
export type { ApiKeySettings } from './api-keys.repository.js';

export { ApiKeysService } from './api-keys.service.js';
export { CallerDirectory } from './caller-directory.js';
