export type { CooldownReason, Credential, CredentialSummary } from './credential.js';
export { CredentialStore, type Remaining } from './credential-store.js';
export { CredentialsModule } from './credentials.module.js';
export { CredentialsRepository } from './credentials.repository.js';
export { type ProviderHeaders, ProviderHeadersRepository } from './provider-headers.repository.js';
export { ProviderHeadersStore } from './provider-headers-store.js';
