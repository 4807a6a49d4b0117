import { Module } from '@nestjs/common';
import { AuditRepository } from './audit.repository.js';
import { Auditor } from './auditor.js';
import { GatewaysRepository } from './gateways.repository.js';
import { LedgerRepository } from './ledger.repository.js';
import { LedgerService } from './ledger.service.js';
import { RetentionRepository } from './retention.repository.js';

@Module({
  providers: [LedgerRepository, LedgerService, GatewaysRepository, AuditRepository, Auditor, RetentionRepository],
  exports: [LedgerService, GatewaysRepository, Auditor, RetentionRepository],
})
export class LedgerModule {}
