export type { ApiKey, Caller, Scope } from './api-key.js';
export { ApiKeysModule } from './api-keys.module.js';
export type { AdminKey, NewApiKey } from './api-keys.repository.js';
export { ApiKeysService } from './api-keys.service.js';
export { CallerDirectory } from './caller-directory.js';
