import { Module } from '@nestjs/common';
import { CallsRepository } from './calls.repository.js';
import { ExplainRepository } from './explain.repository.js';
import { ExplainService } from './explain.service.js';

@Module({ providers: [CallsRepository, ExplainRepository, ExplainService], exports: [CallsRepository, ExplainService] })
export class CallsModule {}
