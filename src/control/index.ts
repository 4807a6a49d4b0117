export { ControlModule } from './control.module.js';
export { mountOpenApi } from './openapi.js';
