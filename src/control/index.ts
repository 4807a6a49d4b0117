export { AdminGate } from './admin-gate.js';
export { ControlModule } from './control.module.js';
export { mountOpenApi } from './openapi.js';
