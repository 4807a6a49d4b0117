import { Module } from '@nestjs/common';
import { CallsRepository } from './calls.repository.js';

@Module({ providers: [CallsRepository], exports: [CallsRepository] })
export class CallsModule {}
