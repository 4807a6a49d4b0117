import { Module } from '@nestjs/common';
import { ProvidersModule } from '../providers/index.js';
import { Prober } from './prober.js';

@Module({ imports: [ProvidersModule], providers: [Prober], exports: [Prober] })
export class ProbingModule {}
