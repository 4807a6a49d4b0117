import { Module } from '@nestjs/common';
import { LedgerModule } from '../ledger/index.js';
import { Admission } from './admission.js';
import { BudgetsRepository } from './budgets.repository.js';
import { BudgetsService } from './budgets.service.js';

@Module({ imports: [LedgerModule], providers: [BudgetsRepository, BudgetsService, Admission], exports: [BudgetsService, Admission] })
export class BudgetsModule {}
