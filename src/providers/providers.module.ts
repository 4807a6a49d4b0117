import { Module } from '@nestjs/common';
import { Identities } from './auth/identities/identities.js';
import { ProviderDirectory } from './provider-directory.js';
import { ProvidersRepository } from './providers.repository.js';

const PARTS = [ProvidersRepository, ProviderDirectory, Identities];

@Module({ providers: PARTS, exports: PARTS })
export class ProvidersModule {}
