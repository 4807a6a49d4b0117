import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { ServerClock } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { listedPrices } from './catalogue.js';
import type { Price } from './price.js';
import type { Listing } from './price-book.js';
import { type NewPrice, PricesRepository } from './prices.repository.js';
import { planUpload, type UploadedPrice, type UploadPlan } from './upload.js';

@Injectable()
export class PricesService {
  constructor(
    private readonly repository: PricesRepository,
    private readonly clock: ServerClock,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** In force from a time on; from now where none is given. */
  async create(price: Omit<NewPrice, 'effectiveAt'> & { effectiveAt: Date | null }): Promise<Price> {
    return this.repository.insert({ ...price, effectiveAt: price.effectiveAt ?? new Date(await this.clock.ask()) });
  }

  /**
   * Compares an uploaded catalogue with the platform's prices, and adds what differs where it is confirmed.
   * @param confirm the digest of exactly these changes; null: nothing is added.
   * @throws WeirError conflict when other changes were confirmed.
   */
  async upload(uploaded: readonly UploadedPrice[], confirm: string | null, source: string, actor: string): Promise<UploadPlan> {
    const now = await this.clock.ask();
    const plan = planUpload(uploaded, await this.repository.list(null), now);
    if (confirm === null) return plan;
    // Applied before: nothing is left to confirm.
    if (plan.changes.length === 0) return plan;
    if (confirm !== plan.digest)
      throw new WeirError('conflict', {
        param: 'confirm',
        message:
          'The changes are not those that were confirmed. Send the file again with "dry_run": true, look at them, and confirm their digest.',
      });
    const common = { tenantId: null, source: 'operator', notes: source };
    await this.repository.insertAll(
      plan.changes.map(({ price }) => ({ ...common, ...price, effectiveAt: price.effectiveAt ?? new Date(now) })),
    );
    const flagged = plan.changes.filter(({ flag }) => flag !== null).length;
    this.log.warn({ actor, source, digest: plan.digest, added: plan.changes.length, flagged }, 'a price catalogue was applied');
    return plan;
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
