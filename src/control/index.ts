export { mountSignInPage } from './auth/sign-in-page.js';
export { ControlModule } from './control.module.js';
export { AdminGate } from './http/admin-gate.js';
export { parseJsonBody } from './http/json-body.js';
export { mountOpenApi } from './http/openapi.js';
export { eventOperations } from './webhooks/openapi.js';
