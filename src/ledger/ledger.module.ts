import { Module } from '@nestjs/common';
import { AuditRepository } from './audit.repository.js';
import { Auditor } from './auditor.js';
import { LedgerRepository } from './ledger.repository.js';
import { LedgerService } from './ledger.service.js';

@Module({ providers: [LedgerRepository, LedgerService, AuditRepository, Auditor], exports: [LedgerService, Auditor] })
export class LedgerModule {}
