import { Inject, Injectable } from '@nestjs/common';
import { type Credential, ProviderHeadersStore } from '../credentials/index.js';
import type { DialectName, Quirks } from '../dialects/index.js';
import { rulesOf } from '../model-rules/index.js';
import { ModelBook } from '../models/index.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { type Listed, PriceBook } from '../prices/index.js';
import {
  AI_GATEWAY_TYPES,
  type AiGatewayOptions,
  aiGatewayHeaders,
  authStyle,
  datedAddress,
  isOwnAddress,
  isVendorAddress,
  type ProviderRecord,
  type ProviderType,
  providerType,
  whenClientLeaves,
} from '../providers/index.js';
import { listingOf } from './listing.js';
import { isPlatforms, type Target, type TargetPrices } from './plan.js';
import { modelRulesOf } from './treated-as.js';

/** What does not change until the record of a provider does. */
interface ProviderDefaults {
  target: Omit<Target, 'model' | 'modelRulesOf' | 'dialects' | 'credential' | 'headers' | keyof TargetPrices | 'facts'>;
  listing: Listed | null;
  /** Its quirks for a model that has no tools of its own. */
  prompted: Quirks;
}

/** What a call needs to go to a model of a provider: its address, its format, its price. */
@Injectable()
export class Targets {
  private readonly lasting = new WeakMap<ProviderRecord, ProviderDefaults>();

  constructor(
    private readonly headers: ProviderHeadersStore,
    private readonly prices: PriceBook,
    private readonly known: ModelBook,
    @Inject(CONFIG) private readonly config: Pick<Config, 'modelRules'>,
  ) {}

  /**
   * The target that a model of a record is, whether it is saved and exposed or not.
   * @param headers instead of those that are stored for it.
   */
  of(tenantId: string, record: ProviderRecord, model: string, credential: Credential | null, headers?: Target['headers']): Target {
    const { target, listing, prompted } = this.lastingOf(record);
    const other = modelRulesOf(this.config.modelRules, model);
    const facts = this.known.find(tenantId, record.name, model, listing, other);
    const price = this.prices.find(tenantId, record.name, model, listing);
    return {
      ...target,
      quirks: facts.tools === false ? prompted : target.quirks,
      facts,
      model,
      modelRulesOf: other,
      dialects: dialectsOf(record, target, model, other),
      credential,
      headers: headers ?? this.headers.find(record.id, target.origin),
      price,
      listedPrice: isPlatforms(price) ? price : this.prices.findListed(listing, model),
    };
  }

  /** Where its credentials may be shown. */
  originOf(record: ProviderRecord): string {
    return this.lastingOf(record).target.origin;
  }

  /** Where its models and their prices are listed; null: nowhere. */
  listingOf(record: ProviderRecord): Listed | null {
    return this.lastingOf(record).listing;
  }

  /** The formats that a model of a record may be spoken to in. */
  dialectsOf(record: ProviderRecord, model: string): readonly DialectName[] {
    return dialectsOf(record, this.lastingOf(record).target, model, modelRulesOf(this.config.modelRules, model));
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
}

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
