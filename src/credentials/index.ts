export { CredentialStore } from './credential-store.js';
export { CredentialsModule } from './credentials.module.js';
export { type Credential, CredentialsRepository } from './credentials.repository.js';
export { type ProviderHeaders, ProviderHeadersRepository } from './provider-headers.repository.js';
export { ProviderHeadersStore } from './provider-headers-store.js';
