import { Module } from '@nestjs/common';
import { ProviderDirectory } from './provider-directory.js';
import { ProvidersRepository } from './providers.repository.js';

@Module({ providers: [ProvidersRepository, ProviderDirectory], exports: [ProvidersRepository, ProviderDirectory] })
export class ProvidersModule {}
