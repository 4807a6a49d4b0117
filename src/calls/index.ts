export { CALL_STATUSES, renderCall } from './call.js';
export { CallObject } from './call-object.js';
export { CallsModule } from './calls.module.js';
export { CallsRepository } from './calls.repository.js';
export { ExplainService } from './explain.service.js';
export { ExplanationObject } from './explain-object.js';
export { ReportsRepository } from './reports.repository.js';
export type { StoredHold, StoredPlan } from './stored-plan.js';
export {
  BUCKET_WIDTHS,
  type BucketPage,
  type BucketWidth,
  CALL_DIMENSIONS,
  type CostSum,
  type Dimension,
  type Group,
  type SumQuery,
  type UsageSum,
} from './usage.js';
export { usageFields } from './usage-fields.js';
