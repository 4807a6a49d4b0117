import { Module } from '@nestjs/common';
import { PriceBook } from './price-book.js';
import { PricesRepository } from './prices.repository.js';
import { PricesService } from './prices.service.js';

@Module({ providers: [PricesRepository, PricesService, PriceBook], exports: [PricesService, PriceBook] })
export class PricesModule {}
