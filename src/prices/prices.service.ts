import { Injectable } from '@nestjs/common';
import { ServerClock } from '../platform/postgres/index.js';
import { listedPrices } from './catalogue.js';
import type { Price } from './price.js';
import type { Listing } from './price-book.js';
import { type NewPrice, PricesRepository } from './prices.repository.js';

@Injectable()
export class PricesService {
  constructor(
    private readonly repository: PricesRepository,
    private readonly clock: ServerClock,
  ) {}

  /** In force from a time on; from now where none is given. */
  async create(price: Omit<NewPrice, 'effectiveAt'> & { effectiveAt: Date | null }): Promise<Price> {
    return this.repository.insert({ ...price, effectiveAt: price.effectiveAt ?? new Date(await this.clock.ask()) });
  }

  /** Null: no such row of this owner. */
  find(owner: string | null, id: string): Promise<Price | null> {
    return this.repository.find(owner, id);
  }

  /** The rows of one owner, a tenant or the platform (null), the latest first. */
  list(owner: string | null): Promise<Price[]> {
    return this.repository.list(owner);
  }

  /** Loads the price catalogue as platform rows; what is there stays. */
  async seed(listings: readonly Listing[]): Promise<void> {
    await this.repository.seed(
      listings.flatMap(({ slug, catalogueId }) => listedPrices(slug, catalogueId).map((price) => ({ provider: slug, ...price }))),
    );
  }
}
