export { BookedPrices } from './booked-prices.js';
export { Latencies } from './latencies.js';
export { listedModels, MODEL_LISTS } from './model-lists.js';
export { faultOf } from './model-name.js';
export { IMAGES, needsOf, partsOf } from './needs.js';
export {
  type AskedModel,
  type AttemptPolicy,
  DEFAULT_POLICY,
  FALLBACK_REASONS,
  type FallbackReason,
  headersFor,
  MAX_TARGETS,
  type Plan,
  type PlanRequest,
  type Requester,
  type Target,
  type TargetPlan,
  type TargetPrices,
  UNPRICED,
} from './plan.js';
export { References } from './references.js';
export { type Resolution, Router } from './router.js';
export { RoutingModule } from './routing.module.js';
export { Targets } from './targets.js';
export { type ListedModel, UsableModels } from './usable-models.js';
