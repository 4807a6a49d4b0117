export { BookedPrices } from './booked-prices.js';
export { faultOf } from './model-name.js';
export {
  type AttemptPolicy,
  DEFAULT_POLICY,
  FALLBACK_REASONS,
  type FallbackReason,
  headersFor,
  type Plan,
  type SkippedTarget,
  type Target,
  type TargetPlan,
} from './plan.js';
export { References } from './references.js';
export { Router } from './router.js';
export { RoutingModule } from './routing.module.js';
