export { headersFor, type Plan, type Target } from './plan.js';
export { Router } from './router.js';
export { RoutingModule } from './routing.module.js';
