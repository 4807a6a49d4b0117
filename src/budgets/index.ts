export { Admission, type AdmissionRequest, type Hold } from './admission.js';
export {
  type Budget,
  type BudgetPeriod,
  EACH,
  type Grant,
  headroomOf,
  MODES,
  PERIOD_KINDS,
  type PeriodKind,
  SCOPE_KINDS,
  type ScopeKind,
} from './budget.js';
export { BudgetsModule } from './budgets.module.js';
export type { BudgetChanges, NewBudget } from './budgets.repository.js';
export { BudgetsService } from './budgets.service.js';
export { rateHeaders } from './denials.js';
export { type Rerated, Rerating } from './rerating.js';
