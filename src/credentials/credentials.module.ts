import { Module } from '@nestjs/common';
import { CredentialStore } from './credential-store.js';
import { CredentialsRepository } from './credentials.repository.js';

@Module({ providers: [CredentialsRepository, CredentialStore], exports: [CredentialsRepository, CredentialStore] })
export class CredentialsModule {}
