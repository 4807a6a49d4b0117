import { Module } from '@nestjs/common';
import { AuditRepository } from './audit.repository.js';
import { Auditor } from './auditor.js';
import { GatewaysRepository } from './gateways.repository.js';
import { LedgerRepository } from './ledger.repository.js';
import { LedgerService } from './ledger.service.js';
import { RetentionRepository } from './retention.repository.js';
import { RollUpsRepository } from './roll-ups.repository.js';

@Module({
  providers: [LedgerRepository, LedgerService, GatewaysRepository, AuditRepository, Auditor, RetentionRepository, RollUpsRepository],
  exports: [LedgerService, GatewaysRepository, Auditor, RetentionRepository, RollUpsRepository],
})
export class LedgerModule {}
