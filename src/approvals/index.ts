export { APPROVAL_STATES, type Approval, type Decision } from './approval.js';
export { ApprovalObject, renderApproval, renderShort } from './approval-object.js';
export { ApprovalsModule } from './approvals.module.js';
export { ApprovalsService } from './approvals.service.js';
