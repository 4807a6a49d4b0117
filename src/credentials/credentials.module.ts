import { Module } from '@nestjs/common';
import { CredentialStore } from './credential-store.js';
import { CredentialsRepository } from './credentials.repository.js';
import { ProviderHeadersRepository } from './provider-headers.repository.js';
import { ProviderHeadersStore } from './provider-headers-store.js';

const ALL = [CredentialsRepository, CredentialStore, ProviderHeadersRepository, ProviderHeadersStore];

@Module({ providers: ALL, exports: ALL })
export class CredentialsModule {}
