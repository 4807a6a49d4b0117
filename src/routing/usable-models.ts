import { Inject, Injectable } from '@nestjs/common';
import type { IsAble } from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import { nearest } from '../kernel/nearest.js';
import type { ModelFacts } from '../model-rules/index.js';
import { ModelBook } from '../models/index.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { isCatalog, type Price, PriceBook } from '../prices/index.js';
import { ProviderDirectory, type ProviderRecord } from '../providers/index.js';
import { HINT, RouteBook } from '../routes/index.js';
import { countedName, faultOf } from './model-name.js';
import { isPlatforms, type Requester, type Target, type TargetPrices, UNPRICED } from './plan.js';
import { Targets } from './targets.js';
import { modelRulesOf } from './treated-as.js';

/** A model as it is listed. */
export interface ListedModel {
  reference: string;
  provider: string;
  createdAt: Date;
  /** The reference whose facts and price are shown: its own, or that of the first target of its route that there is. */
  shown: string;
  /** The references that its route leads to; null: it has none. */
  route: readonly string[] | null;
}

const ANY_MODEL = '*';
const MAX_ABLE = 3;
/** For the nearest name: models looked at, and providers whose models are those that have a price, which have to be searched for. */
const MAX_CANDIDATES = 20_000;
const MAX_OPEN = 10;

/** The models that there are for a caller, by their references. Nothing is guessed: what is not configured is refused, naming the nearest name that is. */
@Injectable()
export class UsableModels {
  constructor(
    private readonly providers: ProviderDirectory,
    private readonly routes: RouteBook,
    private readonly targets: Targets,
    private readonly prices: PriceBook,
    private readonly known: ModelBook,
    @Inject(CONFIG) private readonly config: Pick<Config, 'modelRules' | 'mock'>,
  ) {}

  /**
   * Splits at the first slash only: model ids may carry more.
   * @param allowed the references of which a refusal may name one; null: all.
   */
  find(tenantId: string, reference: string, allowed: ReadonlySet<string> | null = null): { provider: ProviderRecord; model: string } {
    const slash = reference.indexOf('/');
    const name = slash === -1 ? reference : reference.slice(0, slash);
    const provider = this.providers.find(tenantId, name);
    const model = slash === -1 ? (provider?.defaultModel ?? '') : reference.slice(slash + 1);
    const unknown = (what: string) => notFound(`${what}. ${hintAt(this.near(tenantId, reference, allowed))}`);
    if (!provider && reference.startsWith(HINT)) throw unknown(`No route matches the hint "${reference}"`);
    if (!provider && slash === -1) throw unknown(`"${reference}" names no provider. Write the model as provider/model-id`);
    if (!provider) throw unknown(`There is no provider "${name}", asked for by "${reference}"`);
    if (!this.isOn(provider))
      throw notFound(`"${name}" is a mock provider, and the mock provider is disabled: set WEIR_MOCK=1 to enable it.`);
    if (model === '') throw unknown(`"${reference}" names no model. Write it as ${name}/model-id`);
    if (model !== ANY_MODEL && provider.models.includes(model)) return { provider, model };
    const fault = faultOf(model);
    if (fault !== null) throw notFound(`"${reference}" names no model: its id ${fault}.`);
    if (!provider.models.includes(ANY_MODEL)) throw unknown(`The provider "${name}" does not expose the model "${model}"`);
    return { provider, model };
  }

  private isOn({ type }: ProviderRecord): boolean {
    return this.config.mock || type !== 'mock';
  }

  /** The references a caller may use, sorted. A provider that exposes any model shows those that have a price. */
  list({ tenantId, models: allowed }: Pick<Requester, 'tenantId' | 'models'>): { reference: string; provider: string; createdAt: Date }[] {
    return this.providers
      .list(tenantId)
      .filter((record) => this.isOn(record))
      .flatMap((record) => {
        const shown = record.models.includes(ANY_MODEL) ? this.pricedModels(tenantId, record) : [...record.models];
        return shown.map((model) => ({ reference: `${record.name}/${model}`, provider: record.name, createdAt: record.createdAt }));
      })
      .filter(({ reference }) => allowed === null || allowed.has(reference))
      .sort(byReference);
  }

  /** The same, with the names that exact routes match. */
  listed(requester: Requester): ListedModel[] {
    const models = new Map<string, ListedModel>(
      this.list(requester).map((model) => [model.reference, { ...model, shown: model.reference, route: null }]),
    );
    for (const [name, route] of this.routes.named(requester.tenantId)) {
      if (route.match.kind !== 'exact') continue;
      const targets = route.targets.map(({ model }) => model);
      const isAllowed = requester.models === null || requester.models.has(name) || targets.some((model) => requester.models!.has(model));
      const shown = isAllowed && targets.find((model) => this.isThere(requester.tenantId, model));
      if (!shown) continue;
      const provider = shown.slice(0, shown.indexOf('/'));
      models.set(name, { reference: name, provider, createdAt: route.createdAt, shown, route: targets });
    }
    return [...models.values()].sort(byReference);
  }

  private isThere(tenantId: string, reference: string): boolean {
    try {
      return this.find(tenantId, reference) !== null;
    } catch {
      return false;
    }
  }

  /** References of the first few models of a caller's that can do what another one cannot. */
  able(caller: Requester, isAble: IsAble): string[] {
    const able: string[] = [];
    for (const { reference } of this.list(caller)) {
      if (this.isAble(caller.tenantId, reference, isAble)) able.push(reference);
      if (able.length === MAX_ABLE) break;
    }
    return able;
  }

  private isAble(tenantId: string, reference: string, isAble: IsAble): boolean {
    const { provider, model } = this.find(tenantId, reference);
    // The mock makes its answers up.
    if (provider.type === 'mock' || provider.awaitsKey) return false;
    const ruled = modelRulesOf(this.config.modelRules, model) ?? model;
    return isAble({ dialects: this.targets.dialectsOf(provider, model), model: ruled, facts: this.about(tenantId, reference).facts });
  }

  /** What is known of a model that `models` lists, and what it costs now. */
  about(tenantId: string, reference: string): { facts: ModelFacts; price: Price | null } {
    const { provider, model } = this.find(tenantId, reference);
    const listing = this.targets.listingOf(provider);
    return {
      facts: this.known.find(tenantId, provider.name, model, listing, modelRulesOf(this.config.modelRules, model)),
      price: this.prices.find(tenantId, provider.name, model, listing),
    };
  }

  /**
   * What a model costs that a provider says it served in place of the one that was asked for. Null: it is the same under another name, or has
   * no price by itself. A price that the payer set for the model asked for is its word on that model, whatever it is served by: what the
   * catalog says of the other does not go before it.
   */
  servedPrices(tenantId: string, { provider: name, model, price }: Target, served: string | null): TargetPrices {
    const record = served === null || countedName(served) === countedName(model) ? null : this.providers.find(tenantId, name);
    if (!record || served === null) return UNPRICED;
    const listing = this.targets.listingOf(record);
    const found = this.prices.findOwn(tenantId, name, served, listing);
    const isOutdone = found && isCatalog(found) && price && price.model !== ANY_MODEL && !isCatalog(price);
    return {
      price: isOutdone ? null : found,
      listedPrice: isPlatforms(found) ? found : this.prices.findOwnListed(listing, served),
    };
  }

  private pricedModels(tenantId: string, record: ProviderRecord): string[] {
    return this.prices.models(tenantId, record.name, this.targets.listingOf(record));
  }

  /** The model that was most likely meant, of those allowed (null: all). Null: none is spelled like it. */
  near(tenantId: string, reference: string, allowed: ReadonlySet<string> | null): string | null {
    const known = this.candidates(tenantId, allowed);
    const slash = reference.indexOf('/');
    if (slash !== -1) {
      const moved = this.onNearProvider(tenantId, reference.slice(0, slash), reference.slice(slash + 1), allowed);
      return moved ?? nearest(reference, known);
    }
    const named = known.find((one) => one.endsWith(`/${reference}`));
    if (named) return named;
    const routes = [...this.routes.named(tenantId).keys()].filter((name) => allowed === null || allowed.has(name));
    const route = nearest(reference, routes);
    if (route !== null) return route;
    const byId = new Map(known.map((one) => [one.slice(one.indexOf('/') + 1), one]));
    return byId.get(nearest(reference, byId.keys()) ?? '') ?? nearest(reference, known);
  }

  /** The same model on the provider whose name is nearest, if it may be called there. */
  private onNearProvider(tenantId: string, name: string, model: string, allowed: ReadonlySet<string> | null): string | null {
    const records = this.providers.list(tenantId).filter((record) => this.isOn(record));
    const near = nearest(
      name,
      records.map((record) => record.name),
    );
    const record = records.find((one) => one.name === near);
    const reference = `${near}/${model}`;
    if (!record || near === name || !exposes(record, model)) return null;
    return allowed === null || allowed.has(reference) ? reference : null;
  }

  /** References that a refusal may name: no more than can be compared in a moment. */
  private candidates(tenantId: string, allowed: ReadonlySet<string> | null): string[] {
    const candidates: string[] = [];
    if (allowed) {
      for (const reference of allowed) if (this.isCallable(tenantId, reference)) candidates.push(reference);
      return candidates;
    }
    let open = 0;
    for (const record of this.providers.list(tenantId)) {
      const isOpen = record.models.includes(ANY_MODEL);
      if (!this.isOn(record) || (isOpen && ++open > MAX_OPEN)) continue;
      for (const model of isOpen ? this.pricedModels(tenantId, record) : record.models) candidates.push(`${record.name}/${model}`);
      if (candidates.length > MAX_CANDIDATES) break;
    }
    return candidates;
  }

  private isCallable(tenantId: string, reference: string): boolean {
    const slash = reference.indexOf('/');
    const record = this.providers.find(tenantId, reference.slice(0, slash));
    return record !== null && this.isOn(record) && exposes(record, reference.slice(slash + 1));
  }
}

const exposes = ({ models }: ProviderRecord, model: string): boolean =>
  models.includes(model) || (models.includes(ANY_MODEL) && faultOf(model) === null);

const notFound = (message: string): WeirError => new WeirError('model_not_found', { param: 'model', message });

export const hintAt = (near: string | null): string =>
  near === null ? 'GET /v1/models lists the models that this key may use.' : `Did you mean "${near}"?`;

const byReference = (a: { reference: string }, b: { reference: string }): number => (a.reference < b.reference ? -1 : 1);
