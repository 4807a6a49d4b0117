import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../../api-keys/index.js';
import { ApprovalsService, renderApproval } from '../../approvals/index.js';
import { CallsRepository, ExplainService, renderCall } from '../../calls/index.js';
import { WeirError } from '../../kernel/errors.js';
import { parsePublicId, publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import { unixSeconds, unixSecondsOrNull } from '../../platform/openapi/index.js';
import { renderRates } from '../../prices/index.js';
import { BudgetsService, EACH, LimitsService, renderMaxima, renderSpending } from '../../quotas/index.js';
import { type ListedModel, Router, UsableModels } from '../../routing/index.js';
import { LocalInference } from '../local-inference.js';
import { RequestAuth } from '../request-auth.js';
import { type PageQuery, pageOf } from './model-pages.js';
import { asTenant, isOfAnthropic, nothingBut } from './surface.js';

const NO_SUCH_CALL = 'This key made no such call.';

/** What a key may ask about itself: its models, its budgets, its calls. */
@Injectable()
export class OwnAccount {
  constructor(
    private readonly auth: RequestAuth,
    private readonly local: LocalInference,
    private readonly router: Router,
    private readonly models: UsableModels,
    private readonly budgets: BudgetsService,
    private readonly limits: LimitsService,
    private readonly calls: CallsRepository,
    private readonly explain: ExplainService,
    private readonly approvals: ApprovalsService,
  ) {}

  /** `GET /v1/models` */
  listModels = (request: FastifyRequest): object => {
    const { caller, isLocal } = this.auth.verify(request);
    const models = isLocal ? [this.local.listed(caller)] : this.models.listed(caller);
    if (!isOfAnthropic(request)) return { object: 'list', data: models.map((model) => this.describe(caller, model)) };
    const { page, hasMore } = pageOf(models, request.query as PageQuery);
    const data = page.map((model) => this.describeToAnthropic(caller, model));
    return { data, has_more: hasMore, first_id: page[0]?.reference ?? null, last_id: page.at(-1)?.reference ?? null };
  };

  /** `GET /v1/models/{id}`, where the id carries slashes. */
  getModel = (request: FastifyRequest): object => {
    const { caller } = this.auth.verify(request);
    const asked = (request.params as { '*': string })['*'];
    const listed = this.models.listed(caller);
    const model = listed.find(({ reference }) => reference === asked) ?? this.unlisted(caller, asked, listed);
    return isOfAnthropic(request) ? this.describeToAnthropic(caller, model) : this.describe(caller, model);
  };

  /** One that a provider exposes without naming it, a provider's default, or one by a name that a route matches. @throws as Router.plan */
  private unlisted(caller: Caller, name: string, listed: readonly ListedModel[]): ListedModel {
    const [{ reference, target }] = this.router.plan(caller, nothingBut(name)).targets;
    const { provider } = target;
    return (
      listed.find((model) => model.reference === reference) ?? {
        reference,
        provider,
        createdAt: new Date(0),
        shown: reference,
        route: null,
      }
    );
  }

  private describe(caller: Caller, model: ListedModel): object {
    const { facts, price } = this.models.about(caller.tenantId, model.shown);
    return {
      id: model.reference,
      object: 'model',
      created: unixSeconds(model.createdAt),
      owned_by: model.provider,
      context_window: facts.contextWindow,
      max_output_tokens: facts.maxOutputTokens,
      capabilities: { tools: facts.tools, vision: facts.vision, reasoning: facts.reasoning },
      price: price && renderRates(price.rates),
      route: model.route && { targets: model.route },
    };
  }

  /** As Anthropic's Models API does. */
  private describeToAnthropic(caller: Caller, { reference, createdAt, shown }: ListedModel): object {
    const { facts } = this.models.about(caller.tenantId, shown);
    return {
      type: 'model',
      id: reference,
      display_name: reference,
      created_at: createdAt.toISOString(),
      deprecated_at: null,
      retires_at: null,
      lifecycle: 'active',
      line: null,
      capabilities: null,
      max_input_tokens: facts.contextWindow,
      max_tokens: facts.maxOutputTokens,
    };
  }

  /** `GET /v1/key`: the key itself and the budgets its calls count against. */
  getKey = async (request: FastifyRequest): Promise<object> => {
    const { caller } = this.auth.verify(request);
    const [counting, limits] = await asTenant(caller, () =>
      Promise.all([this.budgets.counting(caller.tenantId, caller.scopes), this.limits.list(caller.tenantId)]),
    );
    const own = limits.filter((limit) =>
      caller.scopes.some((scope) => scope.kind === limit.scopeKind && (limit.scopeValue === EACH || limit.scopeValue === scope.value)),
    );
    return {
      id: publicId('apiKey', caller.apiKeyId),
      object: 'api_key',
      name: caller.keyName,
      project_id: publicId('project', caller.projectId),
      models: caller.models ? [...caller.models] : ['*'],
      max_output_tokens: caller.maxOutputTokens,
      max_cost_per_call: caller.maxCallCost === null ? null : formatUsd(caller.maxCallCost),
      rate_limits: own.map((limit) => ({
        id: publicId('limit', limit.id),
        scope: { kind: limit.scopeKind, value: limit.scopeValue },
        ...renderMaxima(limit),
      })),
      budgets: counting.map(({ budget, scopeValue, period }) => ({
        id: publicId('budget', budget.id),
        scope: { kind: budget.scopeKind, value: scopeValue },
        period: budget.periodKind,
        limit: formatUsd(budget.limit),
        ...renderSpending(period),
        resets_at: unixSecondsOrNull(period.endsAt),
      })),
    };
  };

  /** `GET /v1/calls/{id}`: a call this key made. */
  getCall = async (request: FastifyRequest): Promise<object> => {
    const { caller } = this.auth.verify(request);
    const id = parsePublicId('call', (request.params as { id: string }).id);
    const call = id && (await asTenant(caller, () => this.calls.find(caller.tenantId, id, { apiKeyId: caller.apiKeyId })));
    if (!call) throw new WeirError('not_found', { message: NO_SUCH_CALL });
    return renderCall(call, 'tenant');
  };

  /** `GET /v1/approvals/{id}`: what became of a request that this key made. */
  getApproval = async (request: FastifyRequest): Promise<object> => {
    const { caller } = this.auth.verify(request);
    const id = parsePublicId('approval', (request.params as { id: string }).id);
    return renderApproval(await asTenant(caller, () => this.approvals.get(caller.tenantId, id, caller.apiKeyId)));
  };

  /** `GET /v1/calls/{id}/explain`: why a call of this key went as it did. */
  explainCall = async (request: FastifyRequest): Promise<object> => {
    const { caller } = this.auth.verify(request);
    const id = parsePublicId('call', (request.params as { id: string }).id);
    const explain = (callId: string) =>
      this.explain.explain(caller.tenantId, callId, this.router.defaultPolicy, { apiKeyId: caller.apiKeyId });
    const explanation = id && (await asTenant(caller, () => explain(id)));
    if (!explanation)
      throw new WeirError('not_found', { message: `${NO_SUCH_CALL} Calls that were refused before money was held are not kept.` });
    return explanation;
  };
}
