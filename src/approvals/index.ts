export { APPROVAL_STATES, type Approval, type Decision, type Short } from './approval.js';
export { ApprovalsModule } from './approvals.module.js';
export { ApprovalsService } from './approvals.service.js';
