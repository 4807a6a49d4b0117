import { Module } from '@nestjs/common';
import { TenantDeletion } from './tenant-deletion.js';
import { TenantsRepository } from './tenants.repository.js';

@Module({ providers: [TenantsRepository, TenantDeletion], exports: [TenantsRepository, TenantDeletion] })
export class TenantsModule {}
