import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { WeirError } from '../../kernel/errors.js';
import { found } from '../../kernel/found.js';
import type { Setter } from '../../kernel/setter.js';
import { type Price, PricesService } from '../../prices/index.js';
import { findProviderType, nearestProviderType } from '../../providers/index.js';
import { Rerating } from '../../quotas/index.js';
import { BookedPrices, faultOf, References } from '../../routing/index.js';
import { Access } from '../http/access.js';
import { Actor, ActsAs, TenantId } from '../http/admin.js';
import { listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers } from '../http/route.js';
import { renderCatalog, renderPrice, renderRerate } from './render.js';
import { CatalogObject, CreatePrice, PriceObject, PriceQuery, Rerate, RerateObject, ratesOf, tiersOf, UploadCatalog } from './schema.js';

/** What an owner's prices, a tenant's or the platform's (null), have in common. */
abstract class Prices {
  constructor(protected readonly prices: PricesService) {}

  protected async add(tenantId: string | null, body: CreatePrice, by: Setter) {
    const { provider, model, notes = null, effective_at: effectiveAt = null } = body;
    return this.render(
      await this.prices.create({
        tenantId,
        provider,
        model,
        rates: ratesOf(body),
        tiers: tiersOf(body),
        source: by === 'operator' ? 'operator' : 'admin',
        notes,
        effectiveAt,
      }),
    );
  }

  protected async search(tenantId: string | null, query: PriceQuery) {
    const { provider, model } = query;
    const wanted = (await this.prices.list(tenantId)).filter(
      (price) => (!provider || price.provider === provider) && (!model || price.model === model),
    );
    const { items, hasMore } = pageOf(wanted, 'price', query);
    const unused = await this.unused(items);
    return renderList(
      items.map((price, i) => renderPrice(price, unused[i] ?? null)),
      hasMore,
    );
  }

  protected async find(tenantId: string | null, id: string) {
    return this.render(found('price', await this.prices.find(tenantId, idOf('price', id))));
  }

  /** Why no call costs what each says, in their order. Null: calls may. */
  protected async unused(_prices: readonly Price[]): Promise<readonly (string | null)[]> {
    return [];
  }

  private async render(price: Price) {
    const [unused = null] = await this.unused([price]);
    return renderPrice(price, unused);
  }
}

@Controller('v1/organization/prices')
@Access('prices')
export class PricesController extends Prices {
  constructor(
    prices: PricesService,
    private readonly rerating: Rerating,
    private readonly references: References,
    private readonly booked: BookedPrices,
  ) {
    super(prices);
  }

  protected override async unused(prices: readonly Price[]) {
    const tenantId = prices[0]?.tenantId ?? null;
    return tenantId === null ? [] : this.references.unusedPrices(tenantId, prices);
  }

  @Post('rerate')
  @Answers(
    RerateObject,
    'Re-rate booked calls with the current prices. Differences are booked as adjustments. Unless dry_run is false, nothing is booked and the reply shows the differences. Only operators can re-rate calls that the platform pays for.',
  )
  async rerate(@TenantId() tenantId: string, @Actor() actor: string, @ActsAs() by: Setter, @Body({ schema: Rerate }) body: Rerate) {
    const { start_time: from, end_time: to = new Date(), provider = null, model = null, dry_run: dryRun, reason = null } = body;
    await this.booked.refresh();
    const rerated = await this.rerating.rerate({ tenantId, from, to, provider, model, dryRun, by, actor, reason }, (calls) =>
      this.booked.of(tenantId, calls),
    );
    return renderRerate(rerated, dryRun);
  }

  @Post()
  @Answers(
    PriceObject,
    "Create a price of the tenant. It overrides the platform's price. Only operators can set prices for lent providers, and for providers with a price that an operator set. To correct a price, create a new one.",
  )
  async create(@TenantId() tenantId: string, @ActsAs() by: Setter, @Body({ schema: CreatePrice }) body: CreatePrice) {
    // A price may be there before its provider is: else the first calls have none.
    await this.references.checkModelOf(tenantId, body.provider, body.model, 'model');
    return this.add(tenantId, body, by);
  }

  @Get()
  @Answers(listOf(PriceObject), 'List the prices of the tenant. They were set by the tenant, or by an operator for the tenant.')
  list(@TenantId() tenantId: string, @Query({ schema: PriceQuery }) query: PriceQuery) {
    return this.search(tenantId, query);
  }

  @Get(':price_id')
  @Answers(PriceObject, 'Read a price.')
  get(@TenantId() tenantId: string, @Param('price_id') id: string) {
    return this.find(tenantId, id);
  }
}

@Controller('v1/platform/prices')
@Access('operator')
export class PlatformPricesController extends Prices {
  constructor(prices: PricesService) {
    super(prices);
  }

  @Post()
  @Answers(PriceObject, 'Create a price for all tenants. `provider` is a provider type. To correct a price, create a new one.')
  create(@Body({ schema: CreatePrice }) body: CreatePrice) {
    checkName(body);
    return this.add(null, body, 'operator');
  }

  @Post('catalogue')
  @Answers(
    CatalogObject,
    'Upload a price catalog. The reply shows the changes. They are applied only if dry_run is false and confirm is the digest of these changes.',
  )
  async upload(@Actor() actor: string, @Body({ schema: UploadCatalog }) body: UploadCatalog) {
    const uploaded = body.prices.map((price) => {
      checkName(price);
      const { provider, model, effective_at: effectiveAt = null } = price;
      return { provider, model, rates: ratesOf(price), tiers: tiersOf(price), effectiveAt };
    });
    const confirm = body.dry_run ? null : (body.confirm ?? '');
    const { source, as_of: asOf = null } = body;
    return renderCatalog(await this.prices.upload({ uploaded, source, asOf, confirm }, actor), body.dry_run);
  }

  @Get()
  @Answers(listOf(PriceObject), "List the platform's prices.")
  list(@Query({ schema: PriceQuery }) query: PriceQuery) {
    return this.search(null, query);
  }

  @Get(':price_id')
  @Answers(PriceObject, 'Read a price.')
  get(@Param('price_id') id: string) {
    return this.find(null, id);
  }
}

/** The platform's prices go by the slug of a type: one under another name would count for no call. @throws WeirError invalid_request */
function checkName({ provider, model }: CreatePrice): void {
  const fault = model === '*' ? null : faultOf(model);
  if (fault !== null) throw new WeirError('invalid_request', { param: 'model', message: `"${model}" is no model id: it ${fault}.` });
  const known = findProviderType(provider)?.type.slug ?? nearestProviderType(provider);
  if (known === provider) return;
  const near = known === null ? 'See GET /v1/organization/provider_types.' : `Did you mean "${known}"?`;
  throw new WeirError('invalid_request', { param: 'provider', message: `"${provider}" is no provider type. ${near}` });
}
