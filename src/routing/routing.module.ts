import { Module } from '@nestjs/common';
import { CredentialsModule } from '../credentials/index.js';
import { ModelsModule } from '../models/index.js';
import { PricesModule } from '../prices/index.js';
import { ProvidersModule } from '../providers/index.js';
import { BookedPrices } from './booked-prices.js';
import { References } from './references.js';
import { Router } from './router.js';

@Module({
  imports: [ProvidersModule, CredentialsModule, PricesModule, ModelsModule],
  providers: [Router, References, BookedPrices],
  exports: [Router, References, BookedPrices],
})
export class RoutingModule {}
