import { Module } from '@nestjs/common';
import { AuditRepository } from './audit.repository.js';
import { Auditor } from './auditor.js';
import { LedgerRepository } from './ledger.repository.js';
import { LedgerService } from './ledger.service.js';
import { RetentionRepository } from './retention.repository.js';

@Module({
  providers: [LedgerRepository, LedgerService, AuditRepository, Auditor, RetentionRepository],
  exports: [LedgerService, Auditor, RetentionRepository],
})
export class LedgerModule {}
