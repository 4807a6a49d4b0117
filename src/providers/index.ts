export { AI_GATEWAY_TYPES, type AiGatewayOptions, aiGatewayHeaders } from './ai-gateway.js';
export type { Auth, ShownHeaders } from './auth/auth.js';
export { regionOf } from './auth/aws.js';
export {
  addressIn,
  CREDENTIAL_TYPES,
  StructuredCredential,
  tokenAddressIn,
} from './auth/credential.js';
export { CredentialAuths } from './auth/credential-auths.js';
export { Identities } from './auth/identities/identities.js';
export { datedAddress, withDate } from './azure-api-version.js';
export { CATALOG, findProviderType, isVendorAddress, nearestProviderType, providerType } from './catalog/catalog.js';
export { whenClientLeaves } from './catalog/client-gone.js';
export { platformCredential, variablesOf } from './catalog/environment.js';
export type { Found } from './catalog/environment-form.js';
export { isOwnAddress } from './catalog/own-address.js';
export { otherVendorOf } from './key-forms.js';
export { MockTransport } from './mock/mock-transport.js';
export {
  type AuthStyle,
  authStyle,
  DIALECTS,
  ON_CLIENT_GONE,
  type OnClientGone,
  PROVIDER_NAME,
  type ProviderRecord,
  type ProviderType,
  QUIRKS,
  type Quirks,
  type SubscriptionLogin,
} from './provider.js';
export { ProviderDirectory } from './provider-directory.js';
export { ProvidersModule } from './providers.module.js';
export { ProvidersRepository } from './providers.repository.js';
export { rawAccessFault } from './raw-access.js';
