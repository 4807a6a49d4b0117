import { Inject, Injectable } from '@nestjs/common';
import { type Credential, CredentialStore, ProviderHeadersStore } from '../credentials/index.js';
import { type DialectName, type IsAble, type Quirks } from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import { nearest } from '../kernel/nearest.js';
import type { DefaultOwner } from '../kernel/plan-sources.js';
import { type ModelFacts, rulesOf } from '../model-rules/index.js';
import { ModelBook } from '../models/index.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { isCatalog, type Listed, type Price, PriceBook } from '../prices/index.js';
import {
  AI_GATEWAY_TYPES,
  type AiGatewayOptions,
  aiGatewayHeaders,
  authStyle,
  datedAddress,
  isOwnAddress,
  isVendorAddress,
  ProviderDirectory,
  type ProviderRecord,
  type ProviderType,
  providerType,
  whenClientLeaves,
} from '../providers/index.js';
import { HINT, passedOn, REST, type Route, RouteBook, type RouteTarget } from '../routes/index.js';
import { BudgetConditions } from './budget-conditions.js';
import { Latencies } from './latencies.js';
import { listingOf } from './listing.js';
import { countedName, faultOf } from './model-name.js';
import { cannot, type Needs, servesWorse } from './needs.js';
import { outputLimit, SMALL_LIMIT } from './output-limit.js';
import {
  type AskedModel,
  type AttemptPolicy,
  DEFAULT_POLICY,
  type FallbackReason,
  MAX_TARGETS,
  type Plan,
  type PlanRequest,
  type Scope,
  type Target,
  type TargetPlan,
} from './plan.js';
import { type Candidate, inOrder } from './strategy.js';
import { modelRulesOf } from './treated-as.js';

/** What routing needs to know of a caller. */
export interface Requester {
  tenantId: string;
  models: ReadonlySet<string> | null;
  maxOutputTokens: number | null;
  /** For requests that name no model, where their session has no default; null: none. */
  defaultModel: string | null;
  /** Whose default it is; null: there is none. */
  defaultModelFrom: DefaultOwner | null;
}

/** What is asked for, the first to be tried first. */
interface Asked {
  models: [AskedModel, ...AskedModel[]];
  defaultFrom: DefaultOwner | null;
}

/** What does not change until the record of a provider does. */
interface ProviderDefaults {
  target: Omit<Target, 'model' | 'modelRulesOf' | 'dialects' | 'credential' | 'headers' | 'price' | 'facts'>;
  listing: Listed | null;
  /** Its quirks for a model that has no tools of its own. */
  prompted: Quirks;
}

/** A target that a call will not go to, and what a call to it alone would be refused with. */
interface Skipped {
  model: string;
  error: WeirError;
}

/** What routing made of a request. */
export interface Resolution {
  requestedModel: string;
  /** The route that what was asked for first matches; null: none. */
  route: Route | null;
  /** Null: the request named its model. */
  defaultFrom: DefaultOwner | null;
  targets: readonly TargetPlan[];
  skipped: readonly Skipped[];
  policy: AttemptPolicy;
}

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

/** A provider's key, by the provider's id. */
type Keys = Map<string, Credential | null>;

const ANY_MODEL = '*';
const TIMEOUT = 'x-weir-timeout-ms';
const MAX_ABLE = 3;
/** For the nearest name: models looked at, and providers whose models are those that have a price, which have to be searched for. */
const MAX_CANDIDATES = 20_000;
const MAX_OPEN = 10;

/** Turns a reference into a target. There is no default and no guess: what is not configured is refused, naming the nearest name that is. */
@Injectable()
export class Router {
  private readonly lasting = new WeakMap<ProviderRecord, ProviderDefaults>();

  constructor(
    private readonly providers: ProviderDirectory,
    private readonly credentials: CredentialStore,
    private readonly headers: ProviderHeadersStore,
    private readonly prices: PriceBook,
    private readonly known: ModelBook,
    private readonly routes: RouteBook,
    private readonly latencies: Latencies,
    private readonly conditions: BudgetConditions,
    @Inject(CONFIG) private readonly config: Pick<Config, 'modelRules' | 'mock' | 'timeouts' | 'retries' | 'defaultModel'>,
  ) {}

  /**
   * @throws WeirError model_required, model_not_found, model_not_allowed, credential_missing, credential_unavailable, invalid_request; no_target when
   * none of several can be called
   */
  plan(requester: Requester, request: PlanRequest): Plan {
    const { requestedModel, route, defaultFrom, targets, skipped, policy } = this.resolve(requester, request);
    const [first, ...others] = targets;
    if (!first) throw noTarget(requestedModel, skipped);
    return {
      requestedModel,
      route,
      defaultFrom,
      targets: [first, ...others],
      skipped: skipped.map(({ model, error }) => ({ model, reason: error.message })),
      policy,
    };
  }

  /** How far a call goes that no route matches. */
  get defaultPolicy(): AttemptPolicy {
    return policyOf(null, null, this.config.retries);
  }

  /** The plan of a call as it was found, also where there is no target for it. @throws as plan, but for no_target */
  resolve(requester: Requester, request: PlanRequest): Resolution {
    const { models, defaultFrom } = this.asked(requester, request);
    const [asked, ...others] = models;
    const { totalMs } = this.config.timeouts;
    if (request.timeoutMs !== null && request.timeoutMs > totalMs)
      throw new WeirError('invalid_request', {
        param: TIMEOUT,
        message: `The header "${TIMEOUT}" must be at most ${totalMs}: a call takes no longer here.`,
      });
    const policy = (route: Route | null) => policyOf(route, request.timeoutMs, this.config.retries);
    const route = this.routes.find(requester.tenantId, asked.name);
    const keys = new Map<string, Credential | null>();
    if (!route && others.length === 0) {
      const only = aboutParam(asked.param, () => this.planTarget(requester, request, { model: asked.name, credential: null }, false, keys));
      return { requestedModel: only.reference, route, defaultFrom, targets: [only], skipped: [], policy: policy(null) };
    }
    const skipped: Skipped[] = [];
    const needs = request.needs();
    const targets = [asked, ...others].flatMap((one) => this.targetsFor(requester, request, one, needs, keys, skipped));
    const best = withoutWorse(distinct(targets).slice(0, MAX_TARGETS), needs, request.maxOutputTokens, skipped);
    return { requestedModel: asked.name, route, defaultFrom, targets: best, skipped, policy: policy(route) };
  }

  private asked(requester: Requester, { models, defaultModel: ofSession }: PlanRequest): Asked {
    const [first, ...others] = models;
    if (first) return { models: [first, ...others], defaultFrom: null };
    const { defaultModel, defaultModelFrom } = requester;
    const name = ofSession ?? defaultModel ?? this.config.defaultModel;
    if (name === null) throw new WeirError('model_required', { param: 'model' });
    const defaultFrom = ofSession !== null ? 'session' : defaultModel !== null ? defaultModelFrom : 'installation';
    return { models: [{ name, param: 'model' }], defaultFrom };
  }

  /** The targets that one name of several leads to, in order. @throws WeirError model_not_found, model_not_allowed for a name that no route matches */
  private targetsFor(
    requester: Requester,
    request: PlanRequest,
    { name, param }: AskedModel,
    needs: Needs,
    keys: Keys,
    skipped: Skipped[],
  ): TargetPlan[] {
    const route = this.routes.find(requester.tenantId, name);
    const listed = route ? this.targetsOf(requester.tenantId, route, name, request.scopes) : [{ model: name, weight: 1, credential: null }];
    const isAllowed = route !== null && requester.models?.has(name) === true;
    const candidates: Candidate[] = [];
    for (const target of listed)
      try {
        const plan = this.planTarget(requester, request, target, isAllowed, keys);
        const why = cannot(plan.target.facts, needs);
        if (why !== null) throw new WeirError('invalid_request', { param: 'model', message: `"${plan.reference}" ${why}.` });
        candidates.push({ plan, weight: target.weight });
      } catch (error) {
        if (!(error instanceof WeirError)) throw error;
        // What a client names has to be right; what a route names may be gone.
        if (!route && (error.code === 'model_not_found' || error.code === 'model_not_allowed')) throw withParam(error, param);
        skipped.push({ model: target.model, error });
      }
    return inOrder(route?.strategy ?? 'ordered', candidates, request, this.latencies);
  }

  /** A route's targets, as references. */
  private targetsOf(tenantId: string, route: Route, name: string, scopes: readonly Scope[]): readonly RouteTarget[] {
    const { when } = route;
    const targets = when && this.conditions.hold(tenantId, when, scopes) ? when.use : route.targets;
    const rest = route.match.kind === 'prefix' ? passedOn(route, name, (provider) => this.providers.find(tenantId, provider) !== null) : '';
    return targets.map((target) =>
      target.model.endsWith(REST) ? { ...target, model: target.model.slice(0, -REST.length) + rest } : target,
    );
  }

  /** @param isAllowed whatever the models of the key are. @param keys of providers that were chosen for this call. */
  private planTarget(
    requester: Requester,
    request: Pick<PlanRequest, 'maxOutputTokens' | 'session'>,
    { model: asked, credential: pinned }: Pick<RouteTarget, 'model' | 'credential'>,
    isAllowed: boolean,
    keys: Keys,
  ): TargetPlan {
    const { provider, model } = this.find(requester.tenantId, asked, requester.models);
    const reference = `${provider.name}/${model}`;
    if (!isAllowed && requester.models && !requester.models.has(reference)) {
      const near = this.near(requester.tenantId, asked, requester.models);
      throw new WeirError('model_not_allowed', {
        param: 'model',
        message: `This API key may not use the model "${asked}". ${hintAt(near)}`,
      });
    }
    if (provider.awaitsKey) throw new WeirError('credential_missing');
    if (this.credentials.isUnreadable(provider.id)) throw new WeirError('credential_unavailable');
    const credential = pinned === null ? this.keyOf(provider, request.session, keys) : this.pinnedKey(provider, pinned);
    const target = this.target(requester.tenantId, provider, model, credential);
    const { tokens, isDefault, from } = outputLimit(request.maxOutputTokens, requester.maxOutputTokens, target.facts);
    return {
      reference,
      countedModels: countedModels(provider.name, model),
      target,
      maxOutputTokens: tokens,
      limitFrom: from,
      pinned: pinned !== null,
      leastOutputTokens: isDefault ? Math.min(SMALL_LIMIT, tokens) : null,
    };
  }

  /** The targets of one call at one provider have the same of its keys, so that keys are used in turn by calls. */
  private keyOf(record: ProviderRecord, session: string | null, keys: Keys): Credential | null {
    let key = keys.get(record.id);
    if (key === undefined) {
      key = this.credentials.find(record.id, this.lastingOf(record).target.origin, session);
      keys.set(record.id, key);
    }
    return key;
  }

  private pinnedKey(record: ProviderRecord, id: string): Credential {
    const key = this.credentials.pinned(record.id, this.lastingOf(record).target.origin, id);
    if (key) return key;
    throw new WeirError('credential_missing', { message: `The provider "${record.name}" no longer has the key that the route names.` });
  }

  /** The references a caller may use, sorted. A provider that exposes any model shows those that have a price. */
  models({
    tenantId,
    models: allowed,
  }: Pick<Requester, 'tenantId' | 'models'>): { reference: string; provider: string; createdAt: Date }[] {
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
      this.models(requester).map((model) => [model.reference, { ...model, shown: model.reference, route: null }]),
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
    for (const { reference } of this.models(caller)) {
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
    const dialects = dialectsOf(provider, this.lastingOf(provider).target, model, ruled);
    return isAble({ dialects, model: ruled, facts: this.about(tenantId, reference).facts });
  }

  /** What is known of a model that `models` lists, and what it costs now. */
  about(tenantId: string, reference: string): { facts: ModelFacts; price: Price | null } {
    const { provider, model } = this.find(tenantId, reference);
    const { listing } = this.lastingOf(provider);
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
  servedPrice(tenantId: string, { provider: name, model, price }: Target, served: string | null): Price | null {
    if (served === null || countedName(served) === countedName(model)) return null;
    const record = this.providers.find(tenantId, name);
    const found = record && this.prices.findOwn(tenantId, name, served, this.lastingOf(record).listing);
    return found && isCatalog(found) && price && price.model !== ANY_MODEL && !isCatalog(price) ? null : found;
  }

  /**
   * Splits at the first slash only: model ids may carry more.
   * @param allowed the references of which a refusal may name one; null: all.
   */
  private find(
    tenantId: string,
    reference: string,
    allowed: ReadonlySet<string> | null = null,
  ): { provider: ProviderRecord; model: string } {
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

  /**
   * The target that a model of a record is, whether it is saved and exposed or not.
   * @param headers instead of those that are stored for it.
   */
  target(tenantId: string, record: ProviderRecord, model: string, credential: Credential | null, headers?: Target['headers']): Target {
    const { target, listing, prompted } = this.lastingOf(record);
    const other = modelRulesOf(this.config.modelRules, model);
    const facts = this.known.find(tenantId, record.name, model, listing, other);
    return {
      ...target,
      quirks: facts.tools === false ? prompted : target.quirks,
      facts,
      model,
      modelRulesOf: other,
      dialects: dialectsOf(record, target, model, other),
      credential,
      headers: headers ?? this.headers.find(record.id, target.origin),
      price: this.prices.find(tenantId, record.name, model, listing),
    };
  }

  private lastingOf(record: ProviderRecord): ProviderDefaults {
    const known = this.lasting.get(record);
    if (known) return known;
    const type = providerType(record.type)!;
    const { origin, pathname } = new URL(record.baseUrl);
    const apiVersion = datedAddress(record.baseUrl)?.apiVersion ?? null;
    const quirks = quirksOf(record, type, apiVersion);
    const target = {
      providerId: record.id,
      lent: record.tenantId === null,
      provider: record.name,
      type: record.type,
      origin,
      isVendor: type.slug === 'mock' || isVendorAddress(record.baseUrl),
      basePath: pathname.replace(/\/$/, ''),
      apiVersion,
      auth: record.auth === null ? type.auth : authStyle(record.auth),
      subscription: type.subscription,
      subscriptionHeaders: type.subscription?.headers ?? [],
      quirks,
      clientGone: whenClientLeaves(record, type),
      gateway: AI_GATEWAY_TYPES.has(type.slug)
        ? // Who shares a record shares its cache: no tenant may point at the answers of another.
          { headers: aiGatewayHeaders(record.gatewayOptions as AiGatewayOptions | null), fromClient: record.tenantId !== null }
        : null,
    };
    const lasting = { target, listing: listingOf(record, type), prompted: { nativeTools: false, ...quirks } };
    this.lasting.set(record, lasting);
    return lasting;
  }

  private pricedModels(tenantId: string, record: ProviderRecord): string[] {
    return this.prices.models(tenantId, record.name, listingOf(record, providerType(record.type)!));
  }

  /** The model that was most likely meant, of those allowed (null: all). Null: none is spelled like it. */
  private near(tenantId: string, reference: string, allowed: ReadonlySet<string> | null): string | null {
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

function quirksOf(record: ProviderRecord, type: ProviderType, apiVersion: string | null): Quirks {
  const known = apiVersion === null ? knownQuirks(record, type) : olderQuirks(type);
  return { ...known, ...(record.nativeTools !== null && { nativeTools: record.nativeTools }), ...(record.quirks as Quirks) };
}

/** Servers that speak OpenAI's format elsewhere know its older field for the output limit, and often nothing else. */
const knownQuirks = (record: ProviderRecord, type: ProviderType): Quirks =>
  type.baseUrl === null || isOwnAddress(type, record.baseUrl) ? type.quirks : { ...type.quirks, maxTokensField: 'max_tokens' };

/** An API with a date knows what there was at the time: each model has the field for the output limit that it came with. */
function olderQuirks({ quirks }: ProviderType): Quirks {
  const { maxTokensField: _byModel, store: _later, ...others } = quirks;
  return { ...others, developerRole: false };
}

/** A server of one's own that speaks OpenAI's chat format need not speak Responses, unless it serves OpenAI's models. */
function dialectsOf(
  record: ProviderRecord,
  { apiVersion }: Pick<Target, 'apiVersion'>,
  model: string,
  modelRulesOf = model,
): readonly DialectName[] {
  const type = providerType(record.type)!;
  if (record.dialect !== null) return [record.dialect as DialectName];
  if (type.formatOf) return [type.formatOf(model)];
  const isVendor = type.baseUrl === null || isOwnAddress(type, record.baseUrl);
  const others = type.dialects.filter((dialect) => dialect !== 'openai-responses');
  // Responses came to Azure's API by date late, and not by deployment.
  if (apiVersion !== null) return others;
  return isVendor || rulesOf(modelRulesOf).vendor === 'openai' || others.length === 0 ? type.dialects : others;
}

/** References that rules count a call by: the model's own, and the one that stands for all its names. */
function countedModels(provider: string, model: string): readonly string[] {
  const [own, counted] = [`${provider}/${model}`, `${provider}/${countedName(model)}`];
  return own === counted ? [own] : [own, counted];
}

const notFound = (message: string): WeirError => new WeirError('model_not_found', { param: 'model', message });

const hintAt = (near: string | null): string =>
  near === null ? 'GET /v1/models lists the models that this key may use.' : `Did you mean "${near}"?`;

const byReference = (a: { reference: string }, b: { reference: string }): number => (a.reference < b.reference ? -1 : 1);

function distinct(targets: readonly TargetPlan[]): TargetPlan[] {
  const seen = new Set<string>();
  return targets.filter(({ reference, pinned, target }) => {
    const key = `${reference} ${pinned ? target.credential!.id : ''}`;
    return !seen.has(key) && seen.add(key);
  });
}

/** What was asked for by another field than `model` is refused by that. */
function aboutParam<T>(param: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof WeirError ? withParam(error, param) : error;
  }
}

const withParam = (error: WeirError, param: string): WeirError =>
  error.param === 'model' && param !== 'model' ? new WeirError(error.code, { param, message: error.message }) : error;

/** Where a target serves a request well, those that serve it less well are left out. */
function withoutWorse(targets: TargetPlan[], needs: Needs, maxOutputTokens: number | null, skipped: Skipped[]): TargetPlan[] {
  const judged = targets.map((plan) => ({ plan, worse: servesWorse(plan.target.facts, needs, maxOutputTokens) }));
  const best = judged.filter(({ worse }) => worse === null);
  if (best.length === 0) return targets;
  for (const { plan, worse } of judged)
    if (worse !== null)
      skipped.push({ model: plan.reference, error: new WeirError('invalid_request', { message: `"${plan.reference}" ${worse}.` }) });
  return best.map(({ plan }) => plan);
}

function policyOf(route: Route | null, timeoutMs: number | null, retries: number): AttemptPolicy {
  const deadlines = [route?.deadlineMs ?? DEFAULT_POLICY.deadlineMs, timeoutMs].filter((ms) => ms !== null);
  return {
    retries: route?.retries ?? retries,
    attempts: route?.attempts ?? DEFAULT_POLICY.attempts,
    deadlineMs: deadlines.length === 0 ? null : Math.min(...deadlines),
    fallbackOn: route?.fallbackOn ? new Set(route.fallbackOn as FallbackReason[]) : DEFAULT_POLICY.fallbackOn,
  };
}

/** What a client reads that asked for a name none of whose targets can be called: its own to change only where no admin has to. */
function noTarget(name: string, skipped: readonly Skipped[]): WeirError {
  const is = (codes: readonly string[]) => skipped.every(({ error }) => codes.includes(error.code));
  const code = is(['model_not_allowed'])
    ? 'model_not_allowed'
    : is(['model_not_allowed', 'invalid_request'])
      ? 'invalid_request'
      : 'no_target';
  const why = skipped.map(({ model, error }) => `${model}: ${error.message}`).join(' ');
  return new WeirError(code, {
    param: 'model',
    message: `No target of "${name}" can serve this call. ${why}`,
    fields: { skipped: skipped.map(({ model, error }) => ({ model, reason: error.message })) },
  });
}
