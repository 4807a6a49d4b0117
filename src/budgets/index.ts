export { Admission, type AdmissionRequest, type Hold } from './admission.js';
export {
  type Budget,
  type BudgetPeriod,
  EACH,
  type Grant,
  headroomOf,
  MODES,
  PERIOD_KINDS,
  SCOPE_KINDS,
  type ScopeKind,
} from './budget.js';
export { BudgetsModule } from './budgets.module.js';

export { BudgetsService } from './budgets.service.js';
export { rateHeaders } from './denials.js';
export { type Rerated, Rerating } from './rerating.js';
