import { Module } from '@nestjs/common';
import { LedgerModule } from '../ledger/index.js';
import { Admission } from './admission.js';
import { BudgetsRepository } from './budgets.repository.js';
import { BudgetsService } from './budgets.service.js';
import { Rerating } from './rerating.js';

@Module({
  imports: [LedgerModule],
  providers: [BudgetsRepository, BudgetsService, Admission, Rerating],
  exports: [BudgetsService, Admission, Rerating],
})
export class BudgetsModule {}
