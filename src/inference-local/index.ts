export { InferenceLocalModule } from './inference-local.module.js';
export { activeModel, type InferenceRoute, type LocalModel } from './inference-route.js';
export { InferenceRouteBook } from './inference-route-book.js';
export { InferenceRoutesRepository } from './inference-routes.repository.js';
export { BINDING_KINDS, bindingValue, type NetworkBinding, type NetworkIdentity } from './network-binding.js';
export { NetworkBindingsRepository } from './network-bindings.repository.js';
export { NetworkIdentities } from './network-identities.js';
