import type { Credential, ProviderHeaders } from '../credentials/index.js';
import type { DialectName, Quirks } from '../dialects/index.js';
import type { DefaultOwner, LimitSource } from '../kernel/plan-sources.js';
import type { ModelFacts } from '../model-rules/index.js';
import type { Price } from '../prices/index.js';
import type { AuthStyle, OnClientGone, SubscriptionLogin } from '../providers/index.js';
import type { Route } from '../routes/index.js';
import type { Needs } from './needs.js';

/** What is charged for a model, and what its provider takes for it: they differ where a tenant's price has a margin. Null: unknown. */
export interface TargetPrices {
  price: Price | null;
  listedPrice: Price | null;
}

export const UNPRICED: TargetPrices = { price: null, listedPrice: null };

export const isPlatforms = (price: Price | null): boolean => price !== null && price.tenantId === null;

/** Where one call may go, and on what terms. */
export interface Target extends TargetPrices {
  providerId: string;
  /** The platform's own record: the platform pays for the call. */
  lent: boolean;
  /** The record's name: the left part of a reference. */
  provider: string;
  type: string;
  /** The model id as the provider knows it: the right part of a reference. */
  model: string;
  /** The model whose rules apply, where the operator says that it is another one. */
  modelRulesOf: string | undefined;
  origin: string;
  /** It is called at its vendor's own address. */
  isVendor: boolean;
  /** Of the base URL, without a trailing slash. */
  basePath: string;
  /** The date of Azure's API by deployment. Null: its address has none. */
  apiVersion: string | null;
  /** Null: the provider takes none. */
  credential: Credential | null;
  auth: AuthStyle;
  /** The customer's own, beside those of its format. */
  headers: NonNullable<ProviderHeaders['headers']>;
  /** Null: it takes a key. Else its credential is the token of a connection, which the call takes. */
  subscription: SubscriptionLogin | null;
  /** What the vendor of a subscription wants beside the token, names and values in turn. */
  subscriptionHeaders: readonly string[];
  /** The wire formats it may be spoken to in, the preferred one first. */
  dialects: readonly DialectName[];
  quirks: Quirks;
  /** What an AI Gateway there is asked for, and whether a client may ask for other. Null: there is none. */
  gateway: { headers: readonly string[]; fromClient: boolean } | null;
  /** What happens to its work when the client of a call leaves. */
  clientGone: { stream: OnClientGone; whole: OnClientGone };
  /** What is known of the model. */
  facts: ModelFacts;
}

/** How a call goes to one target. */
export interface TargetPlan {
  /** The reference of its model, `provider/model-id`, however it was asked for. */
  reference: string;
  /** References that budgets and limits count it by. */
  countedModels: readonly string[];
  target: Target;
  /** The output limit per answer, written upstream so that the worst case is real. */
  maxOutputTokens: number;
  limitFrom: LimitSource;
  /** Its route names the key that it is called with: no other one of the provider is used. */
  pinned: boolean;
  /** Neither the client nor its key chose the output limit: it is lowered to what budgets can bear, to this at least. Null: it was chosen. */
  leastOutputTokens: number | null;
}

/** Why a call goes on to its next target. */
export const FALLBACK_REASONS = [
  'rate_limited',
  'provider_error',
  'model_not_found',
  'timeout',
  'auth',
  'billing',
  'context_length',
  'content_refused',
] as const;
export type FallbackReason = (typeof FALLBACK_REASONS)[number];

/** How far a call goes to get its answer. */
export interface AttemptPolicy {
  /** How often one target is tried again. */
  retries: number;
  /** How many attempts there are at most, of all targets together. */
  attempts: number;
  /** How long all of it takes at most, from when the request arrived; null: as long as one attempt may. */
  deadlineMs: number | null;
  fallbackOn: ReadonlySet<FallbackReason>;
}

/** What calls are counted by. */
export interface Scope {
  kind: string;
  value: string;
}

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

/** A name that a request asks for, and the field that says it. */
export interface AskedModel {
  name: string;
  param: string;
}

/** What a request asks of routing. */
export interface PlanRequest {
  /** References, and names that routes match, in the order in which they are to be tried; none: a default is taken. */
  models: readonly AskedModel[];
  /** Of its session, for a request that names none; null: none. */
  defaultModel: string | null;
  /** Its own limit on output tokens per answer; null: none. */
  maxOutputTokens: number | null;
  /** Its calls keep to one of a provider's keys, and to one of the targets that a route weighs. */
  session: string | null;
  /** How long it may take; null: as long as its route and the installation say. */
  timeoutMs: number | null;
  /** That budgets count it by, but for its provider and model. */
  scopes: readonly Scope[];
  /** No tokenizer makes more input tokens of it. */
  inputTokensBound: number;
  /** What a model has to be able to do. It is asked for only where there is a choice. */
  needs(): Needs;
}

/** A model that a call will not go to, and why. */
interface SkippedTarget {
  model: string;
  reason: string;
}

/** The ordered targets of one call. Every one was named explicitly by configuration or by the client. */
export interface Plan {
  /** What was asked for: one reference `provider/model-id`, or the name that a route matched. */
  requestedModel: string;
  /** The route that what was asked for first matches; null: none. */
  route: Route | null;
  /** Null: the request named its model. */
  defaultFrom: DefaultOwner | null;
  /** At least one. */
  targets: readonly [TargetPlan, ...TargetPlan[]];
  skipped: readonly SkippedTarget[];
  policy: AttemptPolicy;
}

/** How many targets a route may name, and a call may have. */
export const MAX_TARGETS = 16;

/** What a client does about a failure by itself is the same: a few tries more, of what costs nothing. */
export const DEFAULT_POLICY: AttemptPolicy = {
  retries: 2,
  attempts: 6,
  deadlineMs: null,
  fallbackOn: new Set(['rate_limited', 'provider_error', 'model_not_found', 'timeout', 'auth', 'billing']),
};

/**
 * The headers of a request but for those that show its credential, names and values in turn. Built from nothing: no header of a client goes
 * upstream but those its format names. A provider's own were checked when they were saved.
 */
export function headersFor({ headers: own, subscriptionHeaders }: Target, accept: string, further: readonly string[]): string[] {
  const headers = ['content-type', 'application/json', 'accept', accept, 'accept-encoding', 'identity', 'user-agent', 'weir', ...further];
  headers.push(...subscriptionHeaders);
  for (const [name, value] of own) headers.push(name, value.reveal());
  return headers;
}
