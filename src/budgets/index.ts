export { Admission, type AdmissionRequest, type Hold } from './admission.js';
export {
  type Budget,
  type BudgetPeriod,
  EACH,
  type Grant,
  MODES,
  PERIOD_KINDS,
  SCOPE_KINDS,
  type ScopeKind,
} from './budget.js';
export { renderSpending } from './budget-object.js';
export { BudgetsModule } from './budgets.module.js';

export { BudgetsService } from './budgets.service.js';
export { rateHeaders } from './denials.js';
export { type Rerated, Rerating } from './rerating.js';
