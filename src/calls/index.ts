export { CALL_STATUSES, renderCall } from './call.js';
export { CallObject } from './call-object.js';
export { CallsModule } from './calls.module.js';
export { CallsRepository } from './calls.repository.js';
export { ExplainService } from './explain.service.js';
export { ExplanationObject } from './explain-object.js';
export type { StoredHold, StoredPlan } from './stored-plan.js';
export {
  BUCKET_WIDTHS,
  type BucketPage,
  type BucketWidth,
  type CostSum,
  type Group,
  type GroupField,
  type SumQuery,
  type UsageSum,
} from './usage.js';
export { usageFields } from './usage-fields.js';
