import { Inject, Injectable } from '@nestjs/common';
import { CredentialStore, ProviderHeadersStore } from '../credentials/index.js';
import { type DialectName, type IsAble, type Quirks } from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import { nearest } from '../kernel/nearest.js';
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
import { listingOf } from './listing.js';
import { countedName, faultOf } from './model-name.js';
import { outputLimit, SMALL_LIMIT } from './output-limit.js';
import { DEFAULT_POLICY, type Plan, type Target, type TargetPlan } from './plan.js';
import { modelRulesOf } from './treated-as.js';

/** What routing needs to know of a caller. */
interface Requester {
  tenantId: string;
  models: ReadonlySet<string> | null;
  maxOutputTokens: number | null;
}

/** What does not change until the record of a provider does. */
interface ProviderDefaults {
  target: Omit<Target, 'model' | 'modelRulesOf' | 'dialects' | 'credential' | 'headers' | 'price' | 'facts'>;
  listing: Listed | null;
  /** Its quirks for a model that has no tools of its own. */
  prompted: Quirks;
}

const ANY_MODEL = '*';
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
    @Inject(CONFIG) private readonly config: Pick<Config, 'modelRules' | 'mock' | 'retries'>,
  ) {}

  /**
   * @param session of the call: its calls keep to one of a provider's keys.
   * @throws WeirError model_required, model_not_found, model_not_allowed, credential_missing, credential_unavailable
   */
  plan(requester: Requester, reference: string | null, requestedOutputTokens: number | null, session: string | null = null): Plan {
    if (reference === null) throw new WeirError('model_required', { param: 'model' });
    const only = this.planTarget(requester, reference, requestedOutputTokens, session);
    return { requestedModel: only.reference, targets: [only], skipped: [], policy: { ...DEFAULT_POLICY, retries: this.config.retries } };
  }

  private planTarget(requester: Requester, reference: string, requestedOutputTokens: number | null, session: string | null): TargetPlan {
    const { provider, model } = this.resolve(requester.tenantId, reference, requester.models);
    if (requester.models && !requester.models.has(`${provider.name}/${model}`)) {
      const near = this.near(requester.tenantId, reference, requester.models);
      throw new WeirError('model_not_allowed', {
        param: 'model',
        message: `This API key may not use the model "${reference}". ${hintAt(near)}`,
      });
    }
    if (provider.awaitsKey) throw new WeirError('credential_missing');
    if (this.credentials.isUnreadable(provider.id)) throw new WeirError('credential_unavailable');
    const target = this.target(requester.tenantId, provider, model, session);
    const { tokens, isDefault } = outputLimit(requestedOutputTokens, requester.maxOutputTokens, target.facts);
    return {
      reference: `${provider.name}/${model}`,
      countedModels: countedModels(provider.name, model),
      target,
      maxOutputTokens: tokens,
      leastOutputTokens: isDefault ? Math.min(SMALL_LIMIT, tokens) : null,
    };
  }

  /** The references a caller may use, sorted. A provider that exposes any model shows those that have a price. */
  models({ tenantId, models: allowed }: Requester): { reference: string; provider: string; createdAt: Date }[] {
    return this.providers
      .list(tenantId)
      .filter((record) => this.isOn(record))
      .flatMap((record) => {
        const shown = record.models.includes(ANY_MODEL) ? this.pricedModels(tenantId, record) : [...record.models];
        return shown.map((model) => ({ reference: `${record.name}/${model}`, provider: record.name, createdAt: record.createdAt }));
      })
      .filter(({ reference }) => allowed === null || allowed.has(reference))
      .sort((a, b) => (a.reference < b.reference ? -1 : 1));
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
    const { provider, model } = this.resolve(tenantId, reference);
    // The mock makes its answers up.
    if (provider.type === 'mock' || provider.awaitsKey) return false;
    const ruled = modelRulesOf(this.config.modelRules, model) ?? model;
    const dialects = dialectsOf(provider, this.lastingOf(provider).target, model, ruled);
    return isAble({ dialects, model: ruled, facts: this.about(tenantId, reference).facts });
  }

  /** What is known of a model that `models` lists, and what it costs now. */
  about(tenantId: string, reference: string): { facts: ModelFacts; price: Price | null } {
    const { provider, model } = this.resolve(tenantId, reference);
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
  private resolve(
    tenantId: string,
    reference: string,
    allowed: ReadonlySet<string> | null = null,
  ): { provider: ProviderRecord; model: string } {
    const slash = reference.indexOf('/');
    const name = slash === -1 ? reference : reference.slice(0, slash);
    const provider = this.providers.find(tenantId, name);
    const model = slash === -1 ? (provider?.defaultModel ?? '') : reference.slice(slash + 1);
    const unknown = (what: string) => notFound(`${what}. ${hintAt(this.near(tenantId, reference, allowed))}`);
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
   * @param session of the call, see {@link plan}.
   * @param shown instead of what is stored for it.
   * @throws WeirError credential_unavailable
   */
  target(
    tenantId: string,
    record: ProviderRecord,
    model: string,
    session: string | null,
    shown?: Pick<Target, 'credential' | 'headers'>,
  ): Target {
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
      credential: shown ? shown.credential : this.credentials.find(record.id, target.origin, session),
      headers: shown ? shown.headers : this.headers.find(record.id, target.origin),
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
