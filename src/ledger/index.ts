export { journalPath } from './journal.js';
export type {
  Adjustment,
  Attempt,
  BookedCall,
  Denial,
  HoldAnswer,
  HoldContext,
  HoldRequest,
  LimitDenial,
  LimitVerdict,
  Rates,
  Scope,
  Settlement,
  Verdict,
} from './ledger.js';
export { LedgerModule } from './ledger.module.js';
export { LedgerService } from './ledger.service.js';
export { findDeadGateways, SentMarks } from './sent-marks.js';
