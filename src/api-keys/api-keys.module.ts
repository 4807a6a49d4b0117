import { Module } from '@nestjs/common';
import { AdminKeysRepository } from './admin-keys.repository.js';
import { AdminKeysService } from './admin-keys.service.js';
import { ApiKeysRepository } from './api-keys.repository.js';
import { ApiKeysService } from './api-keys.service.js';
import { CallerDirectory } from './caller-directory.js';
import { KeyUses } from './key-uses.js';

@Module({
  providers: [ApiKeysRepository, ApiKeysService, AdminKeysRepository, AdminKeysService, CallerDirectory, KeyUses],
  exports: [ApiKeysService, AdminKeysService, CallerDirectory],
})
export class ApiKeysModule {}
