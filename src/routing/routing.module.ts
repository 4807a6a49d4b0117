import { Module } from '@nestjs/common';
import { CredentialsModule } from '../credentials/index.js';
import { ModelsModule } from '../models/index.js';
import { PricesModule } from '../prices/index.js';
import { ProvidersModule } from '../providers/index.js';
import { RoutesModule } from '../routes/index.js';
import { BookedPrices } from './booked-prices.js';
import { Latencies } from './latencies.js';
import { References } from './references.js';
import { Router } from './router.js';

@Module({
  imports: [ProvidersModule, CredentialsModule, PricesModule, ModelsModule, RoutesModule],
  providers: [Router, References, BookedPrices, Latencies],
  exports: [Router, References, BookedPrices, Latencies],
})
export class RoutingModule {}
