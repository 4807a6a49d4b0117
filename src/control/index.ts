export { ControlModule } from './control.module.js';
export { AdminGate } from './http/admin-gate.js';
export { mountOpenApi } from './http/openapi.js';
