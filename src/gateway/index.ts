export { GatewayModule } from './gateway.module.js';
export { PublicServer } from './public-server.js';
export { PUBLIC_ROUTES } from './routes.js';
export { loadTokenizers } from './tokenizers.js';
