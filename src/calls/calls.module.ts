import { Module } from '@nestjs/common';
import { CallsRepository } from './calls.repository.js';
import { ExplainRepository } from './explain.repository.js';
import { ExplainService } from './explain.service.js';
import { ReportsRepository } from './reports.repository.js';

@Module({
  providers: [CallsRepository, ExplainRepository, ExplainService, ReportsRepository],
  exports: [CallsRepository, ExplainService, ReportsRepository],
})
export class CallsModule {}
