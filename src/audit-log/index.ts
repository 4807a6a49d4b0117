export { type AuditLine, type AuditQuery, RESOURCES } from './audit-log.js';
export { AuditLogModule } from './audit-log.module.js';
export { AuditLogRepository } from './audit-log.repository.js';
