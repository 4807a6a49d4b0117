export { GatewayModule } from './gateway.module.js';
export { PublicServer } from './public-server.js';
export { loadTokenizers } from './tokenizers.js';
