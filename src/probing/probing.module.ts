import { Module } from '@nestjs/common';
import { Prober } from './prober.js';

@Module({ providers: [Prober], exports: [Prober] })
export class ProbingModule {}
