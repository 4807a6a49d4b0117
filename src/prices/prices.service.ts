import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { type PrismaExecutor, ServerClock } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { listedPrices } from './catalog.js';
import type { Price } from './price.js';
import type { Listing } from './price-book.js';
import { type NewPrice, PricesRepository } from './prices.repository.js';
import { planUpload, type UploadedPrice, type UploadPlan } from './upload.js';

/** A catalog that an operator sent. */
export interface Upload {
  uploaded: readonly UploadedPrice[];
  /** Where it is from. */
  source: string;
  /** When it was made; null: it does not say. */
  asOf: Date | null;
  /** The digest of exactly the changes to make; null: only say what would change. */
  confirm: string | null;
}

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
   * Compares an uploaded catalog with the platform's prices, and adds what differs where it is confirmed.
   * @throws WeirError conflict when other changes were confirmed.
   */
  async upload(catalog: Upload, actor: string): Promise<UploadPlan> {
    const now = await this.clock.ask();
    const { uploaded, asOf, confirm } = catalog;
    if (confirm === null) return planUpload(uploaded, await this.repository.list(null), now, asOf);
    // Two that confirm the same would both add it.
    const applied = await this.repository.alone((db) => this.apply(catalog, now, actor, db));
    if (!applied) throw new WeirError('conflict', { message: 'Another catalog is being applied. Try again in a moment.' });
    return applied;
  }

  private async apply({ uploaded, asOf, confirm, source }: Upload, now: number, actor: string, db: PrismaExecutor): Promise<UploadPlan> {
    const plan = planUpload(uploaded, await this.repository.list(null, db), now, asOf);
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
      db,
    );
    const flagged = plan.changes.filter(({ flag }) => flag !== null).length;
    this.log.warn({ actor, source, digest: plan.digest, added: plan.changes.length, flagged }, 'a price catalog was applied');
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

  /** Loads the price catalog as platform rows; what is there stays. */
  async seed(listings: readonly Listing[]): Promise<void> {
    await this.repository.seed(
      listings.flatMap(({ slug, catalogId }) => listedPrices(slug, catalogId).map((price) => ({ provider: slug, ...price }))),
    );
  }
}
