export { type Audit, type Depth, INVARIANTS } from './audit.js';
export { AuditRepository } from './audit.repository.js';
export { Auditor } from './auditor.js';
export { GatewaysRepository, type Holding, type SilentGateway } from './gateways.repository.js';
export type { BudgetDenial, HoldAnswer, LimitDenial, RateLimitState, Verdict } from './hold-answer.js';
export { journalPath } from './journal.js';
export type {
  Adjustment,
  Attempt,
  BookedCall,
  Booking,
  Checkpoint,
  FlightNote,
  HeldFacts,
  HoldContext,
  HoldRequest,
  PresentedApproval,
  Scope,
  Settlement,
} from './ledger.js';
export { LedgerModule } from './ledger.module.js';
export { LedgerService } from './ledger.service.js';
export { RetentionRepository } from './retention.repository.js';
export { RollUpsRepository } from './roll-ups.repository.js';
export { findDeadGateways, SentMarks } from './sent-marks.js';
