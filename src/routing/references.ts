import { Injectable } from '@nestjs/common';
import { CredentialsRepository } from '../credentials/index.js';
import { WeirError } from '../kernel/errors.js';
import { nearest } from '../kernel/nearest.js';
import { outsideTenantScope } from '../platform/postgres/index.js';
import { type ProviderRecord, ProvidersRepository } from '../providers/index.js';
import { faultOfMatch, nameOf, passedOn, REST, type Route, RoutesRepository, type RouteTarget, Shelf } from '../routes/index.js';
import { countedName, faultOf } from './model-name.js';
import { UsableModels } from './usable-models.js';

const ANY_MODEL = '*';

/**
 * Checks the names that a tenant's rules are made of, against what is stored: a rule on a name that no call can have would count nothing, and
 * whoever set it would believe to be capped.
 */
@Injectable()
export class References {
  constructor(
    private readonly providers: ProvidersRepository,
    private readonly credentials: CredentialsRepository,
    private readonly routes: RoutesRepository,
    private readonly models: UsableModels,
  ) {}

  /** @throws WeirError invalid_request when the tenant has no such provider. */
  async provider(tenantId: string, name: string, param: string): Promise<ProviderRecord> {
    return this.find(await this.list(tenantId), name, param);
  }

  /**
   * The reference that budgets and limits count the calls of a model by: it stands for all its names.
   * @throws WeirError invalid_request when no call of the tenant can ask for it.
   */
  async counted(tenantId: string, reference: string, param: string): Promise<string> {
    const { provider, model } = await this.model(tenantId, reference, param);
    return `${provider.name}/${countedName(model)}`;
  }

  /** References, and names that routes match. @throws WeirError invalid_request when no call of the tenant can ask for one of them. */
  async checkModels(tenantId: string, names: readonly string[], param: string): Promise<void> {
    if (names.every((name) => name === ANY_MODEL)) return;
    const [records, own, shared] = await Promise.all([this.list(tenantId), this.shelf(tenantId), this.shelf(null)]);
    for (const [at, name] of names.entries())
      if (name !== ANY_MODEL && !own.find(name) && !shared.find(name)) this.resolve(tenantId, records, name, `${param}.${at}`);
  }

  /** One of these. @throws WeirError invalid_request */
  async checkName(tenantId: string, name: string, param: string): Promise<void> {
    const [records, own, shared] = await Promise.all([this.list(tenantId), this.shelf(tenantId), this.shelf(null)]);
    if (!own.find(name) && !shared.find(name)) this.resolve(tenantId, records, name, param);
  }

  /**
   * Checks a route of a tenant, or of the platform, as it is about to be saved.
   * @throws WeirError invalid_request when no call can match it, or when it leads to what does not exist, or to another route.
   */
  async checkRoute(route: Pick<Route, 'tenantId' | 'match' | 'targets' | 'when'>): Promise<void> {
    const { match, targets, tenantId, when } = route;
    const fault = faultOfMatch(match);
    if (fault !== null) throw invalid('match.value', `"${match.value}" ${fault}.`);
    const [records, shelf] = await Promise.all([this.list(tenantId), this.shelf(tenantId)]);
    if (match.kind === 'exact' && records.has(match.value))
      throw invalid('match.value', `"${match.value}" is the name of a provider, and stands for its default model. Use another name.`);
    const keys = await outsideTenantScope(() => this.credentials.summaries([...records.values()].map(({ id }) => id)));
    const listed = [...entriesOf('targets', targets), ...entriesOf('when.use', when?.use ?? [])];
    const seen = new Set<string>();
    for (const { list, param, model, credential } of listed) {
      const provider = this.targetOf(records, route, shelf, model, `${param}.model`);
      const isOwn = provider.tenantId === tenantId && (keys.get(provider.id) ?? []).some(({ id }) => id === credential);
      if (credential !== null && !isOwn)
        throw invalid(
          `${param}.credential`,
          `The provider "${provider.name}" has no such key. GET /v1/organization/providers lists its keys.`,
        );
      const key = `${list} ${model} ${credential}`;
      if (seen.has(key)) throw invalid(`${param}.model`, `The target "${model}" is there twice. Name it once.`);
      seen.add(key);
    }
  }

  private targetOf(records: Records, route: Pick<Route, 'match' | 'targets'>, shelf: Shelf, model: string, param: string): ProviderRecord {
    const { match } = route;
    const slash = model.indexOf('/');
    const record = slash === -1 ? undefined : records.get(model.slice(0, slash));
    if (!record && (shelf.named.has(model) || model === nameOf(match)))
      throw invalid(
        param,
        `"${model}" is the name of a route, and a target is never another route, so that routes form no loops. Name its models.`,
      );
    if (slash === -1) throw invalid(param, `"${model}" is no reference of a model. Write each target as provider/model-id.`);
    const provider = this.find(records, model.slice(0, slash), param);
    const id = model.slice(slash + 1);
    if (!id.endsWith(REST)) {
      this.expose(provider, id, param);
      return provider;
    }
    if (match.kind !== 'prefix')
      throw invalid(param, `"${model}" passes on the name that was asked for, which only a prefix does. Name one model.`);
    const begins = id.slice(0, -REST.length) + passedOn(route, match.value, (name) => records.has(name));
    const { name, models } = provider;
    if (!models.includes(ANY_MODEL) && !models.some((one) => one.startsWith(begins)))
      throw invalid(
        param,
        `The provider "${name}" exposes no model whose id begins with "${begins}", so "${model}" would never be called.`,
      );
    return provider;
  }

  /** @throws WeirError conflict when routes of the owner lead to a provider of this name. */
  async refuseRouted(owner: string | null, provider: string): Promise<void> {
    const names = (await this.routesWith(owner, ({ model }) => model.startsWith(`${provider}/`))).map(({ name }) => `"${name}"`);
    if (names.length === 0) return;
    const [these, them] = names.length === 1 ? ['The route', 'it'] : ['The routes', 'them'];
    const message = `${these} ${names.join(', ')} ${names.length === 1 ? 'names' : 'name'} the provider "${provider}". Delete ${them}, or give ${them} other targets, first.`;
    throw new WeirError('conflict', { message });
  }

  /** The routes of the owner that have a target as asked for, the latest first. */
  async routesWith(owner: string | null, isMeant: (target: RouteTarget) => boolean): Promise<Route[]> {
    const routes = await outsideTenantScope(() => this.routes.list(owner));
    return routes.filter(({ targets, when }) => [...targets, ...(when?.use ?? [])].some(isMeant));
  }

  /** The record of a provider that exposes a model: of those that a tenant may use, or of the platform's (null). @throws WeirError invalid_request */
  async exposing(owner: string | null, provider: string, model: string): Promise<ProviderRecord> {
    const record = this.find(await this.list(owner), provider, 'provider');
    this.expose(record, model, 'model');
    return record;
  }

  /** The same of a model by itself; `*` is all of them. A provider that is not there yet may expose any. @throws WeirError invalid_request */
  async checkModelOf(tenantId: string, provider: string, model: string, param: string): Promise<void> {
    if (model === ANY_MODEL) return;
    this.expose((await this.list(tenantId)).get(provider) ?? { name: provider, models: [ANY_MODEL] }, model, param);
  }

  /** Of stored rules on providers and models, in their order: what keeps calls of the tenant from counting. Null: nothing. */
  async uncounted(tenantId: string, rules: readonly { kind: 'provider' | 'model'; value: string }[]): Promise<(string | null)[]> {
    if (rules.length === 0) return [];
    const records = await this.list(tenantId);
    return rules.map(({ kind, value }) =>
      faultIn(() => {
        if (kind === 'provider') return void this.find(records, value, 'value');
        const { provider, model } = this.resolve(tenantId, records, value, 'value');
        const counted = `${provider.name}/${countedName(model)}`;
        if (counted !== value)
          throw invalid(
            'value',
            `Only calls by exactly this name count: those by the model's other names count by "${counted}". Set the rule on that, and remove this one.`,
          );
      }),
    );
  }

  /** The same of stored prices: why no call of the tenant costs what each says. */
  async unusedPrices(tenantId: string, prices: readonly { provider: string; model: string }[]): Promise<(string | null)[]> {
    if (prices.length === 0) return [];
    const records = await this.list(tenantId);
    return prices.map(({ provider, model }) =>
      faultIn(() => {
        const record = this.find(records, provider, 'provider');
        if (model !== ANY_MODEL) this.expose(record, model, 'model');
      }),
    );
  }

  private async model(tenantId: string, reference: string, param: string) {
    return this.resolve(tenantId, await this.list(tenantId), reference, param);
  }

  private resolve(tenantId: string, records: Records, reference: string, param: string): { provider: ProviderRecord; model: string } {
    const slash = reference.indexOf('/');
    if (slash === -1) throw this.bare(tenantId, records, reference, param);
    const provider = this.find(records, reference.slice(0, slash), param);
    const model = reference.slice(slash + 1);
    if (model === ANY_MODEL || model === '')
      throw invalid(
        param,
        `"${reference}" stands for no model, and patterns are not taken. Write each model as ${provider.name}/model-id; all models of the provider are the scope {"kind":"provider","value":"${provider.name}"}.`,
      );
    this.expose(provider, model, param);
    return { provider, model };
  }

  private expose({ name, models }: Pick<ProviderRecord, 'name' | 'models'>, model: string, param: string): void {
    if (models.includes(model)) return;
    const fault = faultOf(model);
    if (fault !== null) throw invalid(param, `"${name}/${model}" names no model: its id ${fault}.`);
    if (models.includes(ANY_MODEL)) return;
    const near = nearest(model, models);
    throw invalid(
      param,
      `The provider "${name}" does not expose the model "${model}".${near === null ? '' : ` Did you mean "${name}/${near}"?`}`,
    );
  }

  private find(records: Records, name: string, param: string): ProviderRecord {
    const record = records.get(name);
    if (record) return record;
    const near = nearest(name.replace(/\/.*$/s, ''), records.keys());
    throw invalid(
      param,
      `There is no provider "${name}".${near === null ? ' GET /v1/models lists what there is; add the provider first.' : ` Did you mean "${near}"?`}`,
    );
  }

  /** A name without a slash is no reference: a provider's default model may be another one tomorrow. */
  private bare(tenantId: string, records: Records, name: string, param: string): WeirError {
    const record = records.get(name);
    const near = record
      ? record.defaultModel && `${name}/${record.defaultModel}`
      : this.models.list({ tenantId, models: null }).find(({ reference }) => reference.endsWith(`/${name}`))?.reference;
    const open = [...records.values()].find(({ models }) => models.includes(ANY_MODEL));
    const meant = near ?? (record || !open ? null : `${open.name}/${name}`);
    return invalid(
      param,
      `"${name}" is no reference of a model. Write it as provider/model-id.${meant === null ? '' : ` Did you mean "${meant}"?`}`,
    );
  }

  private async shelf(tenantId: string | null): Promise<Shelf> {
    return new Shelf(await outsideTenantScope(() => this.routes.list(tenantId)));
  }

  /** What a tenant may use; null: what the platform has. */
  private async list(tenantId: string | null): Promise<Records> {
    const usable = await outsideTenantScope(() => (tenantId === null ? this.providers.list(null) : this.providers.usable(tenantId)));
    // A tenant's own record hides one that is lent under the same name: it comes last.
    return new Map(usable.map((provider) => [provider.name, provider]));
  }
}

const entriesOf = (list: string, targets: readonly RouteTarget[]) =>
  targets.map((target, at) => ({ ...target, list, param: `${list}.${at}` }));

type Records = ReadonlyMap<string, ProviderRecord>;

/** What a check refuses, in its words. Null: nothing. */
function faultIn(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof WeirError) return error.message;
    throw error;
  }
}

const invalid = (param: string, message: string): WeirError => new WeirError('invalid_request', { param, message });
