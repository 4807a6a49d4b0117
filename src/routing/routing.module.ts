import { Module } from '@nestjs/common';
import { CredentialsModule } from '../credentials/index.js';
import { ModelsModule } from '../models/index.js';
import { PricesModule } from '../prices/index.js';
import { ProvidersModule } from '../providers/index.js';
import { QuotasModule } from '../quotas/index.js';
import { RoutesModule } from '../routes/index.js';
import { BookedPrices } from './booked-prices.js';
import { BudgetConditions } from './budget-conditions.js';
import { Latencies } from './latencies.js';
import { References } from './references.js';
import { Router } from './router.js';
import { Targets } from './targets.js';
import { UsableModels } from './usable-models.js';

@Module({
  imports: [ProvidersModule, CredentialsModule, PricesModule, ModelsModule, RoutesModule, QuotasModule],
  providers: [BudgetConditions, Targets, UsableModels, Router, References, BookedPrices, Latencies],
  exports: [Targets, UsableModels, Router, References, BookedPrices, Latencies],
})
export class RoutingModule {}
