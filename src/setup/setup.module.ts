import { Module } from '@nestjs/common';
import { ApiKeysModule } from '../api-keys/index.js';
import { CredentialsModule } from '../credentials/index.js';
import { PricesModule } from '../prices/index.js';
import { ProviderAccountsModule } from '../provider-accounts/index.js';
import { ProvidersModule } from '../providers/index.js';
import { QuotasModule } from '../quotas/index.js';
import { TenantsModule } from '../tenants/index.js';
import { Setup } from './first-start.js';

@Module({
  imports: [TenantsModule, ApiKeysModule, ProvidersModule, CredentialsModule, ProviderAccountsModule, PricesModule, QuotasModule],
  providers: [Setup],
  exports: [Setup],
})
export class SetupModule {}
