import { Inject, Injectable } from '@nestjs/common';
import { type Credential, CredentialStore } from '../credentials/index.js';
import { WeirError } from '../kernel/errors.js';
import type { DefaultOwner } from '../kernel/plan-sources.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { ProviderDirectory, type ProviderRecord } from '../providers/index.js';
import { passedOn, REST, type Route, RouteBook, type RouteTarget } from '../routes/index.js';
import { BudgetConditions } from './budget-conditions.js';
import { Latencies } from './latencies.js';
import { countedName } from './model-name.js';
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
  type Requester,
  type Scope,
  type TargetPlan,
} from './plan.js';
import { type Candidate, inOrder } from './strategy.js';
import { Targets } from './targets.js';
import { hintAt, UsableModels } from './usable-models.js';

/** What is asked for, the first to be tried first. */
interface Asked {
  models: [AskedModel, ...AskedModel[]];
  defaultFrom: DefaultOwner | null;
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

/** A provider's key, by the provider's id. */
type Keys = Map<string, Credential | null>;

const TIMEOUT = 'x-weir-timeout-ms';

/** Turns what a request asks for into a plan. There is no default and no guess. */
@Injectable()
export class Router {
  constructor(
    private readonly models: UsableModels,
    private readonly targets: Targets,
    private readonly providers: ProviderDirectory,
    private readonly credentials: CredentialStore,
    private readonly routes: RouteBook,
    private readonly latencies: Latencies,
    private readonly conditions: BudgetConditions,
    @Inject(CONFIG) private readonly config: Pick<Config, 'timeouts' | 'retries' | 'defaultModel'>,
  ) {}

  /**
   * @throws WeirError model_required, model_not_found, model_not_allowed, credential_missing, credential_unavailable, invalid_request; no_target when
   * none of several can be called
   */
  plan(requester: Requester, request: PlanRequest): Plan {
    const { requestedModel, route, defaultFrom, targets, skipped, policy } = this.resolve(requester, request);
    const [first, ...others] = targets;
    if (!first) throw this.misspelled(requester, requestedModel, route, skipped) ?? noTarget(requestedModel, skipped);
    return {
      requestedModel,
      route,
      defaultFrom,
      targets: [first, ...others],
      skipped: skipped.map(({ model, error }) => ({ model, reason: error.message })),
      policy,
    };
  }

  /** Of a name that a prefix passes on, and that none of its providers has: it is the client's to change. Null: it is no such. */
  private misspelled({ tenantId, models }: Requester, name: string, route: Route | null, skipped: readonly Skipped[]): WeirError | null {
    const [target] = skipped;
    if (!target || route?.match.kind !== 'prefix' || ![...route.targets, ...(route.when?.use ?? [])].every(passesOn)) return null;
    const isUnknown = ({ model, error }: Skipped) =>
      error.code === 'model_not_found' && this.providers.find(tenantId, model.slice(0, model.indexOf('/'))) !== null;
    if (!skipped.every(isUnknown)) return null;
    const near = this.models.near(tenantId, target.model, models);
    const message = `No provider that the route "${route.match.value}" leads to has the model "${name}". ${hintAt(near)}`;
    return new WeirError('model_not_found', { param: 'model', message });
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
    return targets.map((target) => (passesOn(target) ? { ...target, model: target.model.slice(0, -REST.length) + rest } : target));
  }

  /** @param isAllowed whatever the models of the key are. @param keys of providers that were chosen for this call. */
  private planTarget(
    requester: Requester,
    request: Pick<PlanRequest, 'maxOutputTokens' | 'session'>,
    { model: asked, credential: pinned }: Pick<RouteTarget, 'model' | 'credential'>,
    isAllowed: boolean,
    keys: Keys,
  ): TargetPlan {
    const { provider, model } = this.models.find(requester.tenantId, asked, requester.models);
    const reference = `${provider.name}/${model}`;
    if (!isAllowed && requester.models && !requester.models.has(reference)) {
      const near = this.models.near(requester.tenantId, asked, requester.models);
      throw new WeirError('model_not_allowed', {
        param: 'model',
        message: `This API key may not use the model "${asked}". ${hintAt(near)}`,
      });
    }
    if (provider.awaitsKey) throw new WeirError('credential_missing');
    if (this.credentials.isUnreadable(provider.id)) throw new WeirError('credential_unavailable');
    const credential = pinned === null ? this.keyOf(provider, model, request.session, keys) : this.pinnedKey(provider, pinned);
    const target = this.targets.of(requester.tenantId, provider, model, credential);
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

  /** The targets of one call at one provider have the same of its keys, unless it is limited for one, so that keys are used in turn by calls. */
  private keyOf(record: ProviderRecord, model: string, session: string | null, keys: Keys): Credential | null {
    let key = keys.get(record.id);
    if (key === undefined || (key && this.credentials.rests(key, model))) {
      key = this.credentials.find(record.id, this.targets.originOf(record), model, session);
      keys.set(record.id, key);
    }
    return key;
  }

  private pinnedKey(record: ProviderRecord, id: string): Credential {
    const key = this.credentials.pinned(record.id, this.targets.originOf(record), id);
    if (key) return key;
    throw new WeirError('credential_missing', { message: `The provider "${record.name}" no longer has the key that the route names.` });
  }
}

/** A target that is called by the name that was asked for. */
const passesOn = ({ model }: RouteTarget): boolean => model.endsWith(REST);

/** References that rules count a call by: the model's own, and the one that stands for all its names. */
function countedModels(provider: string, model: string): readonly string[] {
  const [own, counted] = [`${provider}/${model}`, `${provider}/${countedName(model)}`];
  return own === counted ? [own] : [own, counted];
}

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
