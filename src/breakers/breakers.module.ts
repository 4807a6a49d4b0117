import { Module } from '@nestjs/common';
import { Breakers } from './breakers.js';
import { BreakersRepository } from './breakers.repository.js';

@Module({ providers: [BreakersRepository, Breakers], exports: [BreakersRepository, Breakers] })
export class BreakersModule {}
