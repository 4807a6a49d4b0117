import { Module } from '@nestjs/common';
import { BreakersModule } from '../breakers/index.js';
import { ConnectionsModule } from '../connections/index.js';
import { CredentialsModule } from '../credentials/index.js';
import { ProvidersModule } from '../providers/index.js';
import { RoutingModule } from '../routing/index.js';
import { TenantsModule } from '../tenants/index.js';
import { AccountProbe } from './account-probe.js';
import { Prober } from './prober.js';
import { ProviderAccountsService } from './provider-accounts.service.js';
import { ProviderGrants } from './provider-grants.js';
import { ProviderLogins } from './provider-logins.js';

const VERBS = [ProviderAccountsService, ProviderGrants, ProviderLogins];

@Module({
  imports: [BreakersModule, ProvidersModule, CredentialsModule, ConnectionsModule, RoutingModule, TenantsModule],
  providers: [...VERBS, AccountProbe, Prober],
  exports: VERBS,
})
export class ProviderAccountsModule {}
