export type { Plan, Target } from './plan.js';
export { Router } from './router.js';
export { RoutingModule } from './routing.module.js';
