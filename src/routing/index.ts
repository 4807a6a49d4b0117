export { BookedPrices } from './booked-prices.js';
export { faultOf } from './model-name.js';
export { headersFor, type Plan, type Target } from './plan.js';
export { References } from './references.js';
export { Router } from './router.js';
export { RoutingModule } from './routing.module.js';
