export { CredentialStore } from './credential-store.js';
export { CredentialsModule } from './credentials.module.js';
export { type Credential, CredentialsRepository } from './credentials.repository.js';
