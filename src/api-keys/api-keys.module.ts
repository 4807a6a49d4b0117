import { Module } from '@nestjs/common';
import { ApiKeysRepository } from './api-keys.repository.js';
import { ApiKeysService } from './api-keys.service.js';
import { CallerDirectory } from './caller-directory.js';

@Module({ providers: [ApiKeysRepository, ApiKeysService, CallerDirectory], exports: [ApiKeysService, CallerDirectory] })
export class ApiKeysModule {}
