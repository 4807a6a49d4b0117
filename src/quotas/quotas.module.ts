import { Module } from '@nestjs/common';
import { LedgerModule } from '../ledger/index.js';
import { Admission } from './admission.js';
import { BudgetsRepository } from './budgets.repository.js';
import { BudgetsService } from './budgets.service.js';
import { LimitsRepository } from './limits.repository.js';
import { LimitsService } from './limits.service.js';
import { Rerating } from './rerating.js';

@Module({
  imports: [LedgerModule],
  providers: [BudgetsRepository, BudgetsService, LimitsRepository, LimitsService, Admission, Rerating],
  exports: [BudgetsService, LimitsService, Admission, Rerating],
})
export class QuotasModule {}
