export type { Capabilities } from './capabilities.js';
export type { AccountChanges, NewAccount, ProviderAccount } from './provider-account.js';
export { ProviderAccountsModule } from './provider-accounts.module.js';
export { ProviderAccountsService } from './provider-accounts.service.js';
export { ProviderGrants } from './provider-grants.js';
export { ProviderLogins } from './provider-logins.js';
