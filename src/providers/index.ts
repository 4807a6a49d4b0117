export { CATALOG, findProviderType, isOwnAddress, nearestProviderType, providerType } from './catalog/catalog.js';
export { MockTransport } from './mock/mock-transport.js';
export { type AuthStyle, DIALECTS, PROVIDER_NAME, type ProviderRecord, type ProviderType } from './provider.js';
export { ProviderDirectory } from './provider-directory.js';
export { ProvidersModule } from './providers.module.js';
export { type NewProvider, ProvidersRepository } from './providers.repository.js';
