export type { Attempt, Denial, HoldAnswer, HoldContext, HoldRequest, Settlement, Verdict } from './ledger.js';
export { LedgerModule } from './ledger.module.js';
export { LedgerService } from './ledger.service.js';
export { findDeadGateways, SentMarks } from './sent-marks.js';
