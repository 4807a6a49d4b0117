export type { Limit } from './limit.js';
export { LimitMaxima, renderMaxima } from './limit-object.js';
export { LimitsModule } from './limits.module.js';
export { LimitsService } from './limits.service.js';
