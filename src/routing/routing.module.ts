import { Module } from '@nestjs/common';
import { CredentialsModule } from '../credentials/index.js';
import { ModelsModule } from '../models/index.js';
import { PricesModule } from '../prices/index.js';
import { ProvidersModule } from '../providers/index.js';
import { Router } from './router.js';

@Module({ imports: [ProvidersModule, CredentialsModule, PricesModule, ModelsModule], providers: [Router], exports: [Router] })
export class RoutingModule {}
