import { Body, Controller, Post } from '@nestjs/common';
import { ApiKeysService } from '../../api-keys/index.js';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { BudgetsService, LimitsService } from '../../quotas/index.js';
import { RouteBook } from '../../routes/index.js';
import { listedModels, needsOf, type Requester, Router } from '../../routing/index.js';
import { TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { Answers } from '../http/route.js';
import { type Asked, renderResolution, scopesOfTarget } from './resolution.js';
import { ResolutionObject, ResolveModel } from './resolve.schema.js';

/** Whose call is resolved. */
interface Resolver extends Requester {
  scopes: { kind: string; value: string }[];
  terms: Omit<Asked, 'inputTokensBound' | 'choices'>;
}

@Controller('v1/organization/models/resolve')
@Access('models:read')
export class ResolveController {
  constructor(
    private readonly router: Router,
    private readonly routes: RouteBook,
    private readonly apiKeys: ApiKeysService,
    private readonly tenants: TenantsRepository,
    private readonly budgets: BudgetsService,
    private readonly limits: LimitsService,
  ) {}

  @Post()
  @Answers(
    ResolutionObject,
    'Resolve a call without making it. Takes the body of a call; the reply names the route that matches, the targets in order with the most the call can cost and the budgets it counts against, and those that are skipped with the reason. Nothing is held. Budgets and limits of end users, sessions, tags and scope keys are left out, because a call names these in its headers or its format.',
  )
  async resolve(@TenantId() tenantId: string, @Body({ schema: ResolveModel }) { api_key: apiKeyId, ...body }: ResolveModel) {
    const { scopes, terms, ...requester } = await this.requester(tenantId, apiKeyId ?? null);
    await this.routes.refresh();
    const named = body.model ? [{ name: body.model, param: 'model' }] : [];
    const inputTokensBound = Buffer.byteLength(JSON.stringify(body));
    const resolution = this.router.resolve(requester, {
      models: [...named, ...listedModels(body)],
      defaultModel: null,
      maxOutputTokens: body.max_output_tokens ?? body.max_completion_tokens ?? body.max_tokens ?? null,
      session: null,
      timeoutMs: null,
      scopes,
      inputTokensBound,
      needs: () => needsOf(body),
    });
    const all = [...scopes, ...resolution.targets.flatMap(scopesOfTarget)];
    const counted = [...new Map(all.map((scope) => [`${scope.kind} ${scope.value}`, scope])).values()];
    const [budgets, limits] = await Promise.all([this.budgets.counting(tenantId, counted), this.limits.counting(tenantId, counted)]);
    const thinkingLevel = body.reasoning_effort ?? terms.thinkingLevel;
    return renderResolution(resolution, { ...terms, thinkingLevel, inputTokensBound, choices: body.n ?? 1 }, { budgets, limits });
  }

  /** @throws WeirError not_found when the tenant has no such key. */
  private async requester(tenantId: string, apiKeyId: string | null): Promise<Resolver> {
    const { defaultModel, unpricedCallNano: unpricedCost } = await this.tenants.existing(tenantId);
    const scopes = [{ kind: 'tenant', value: publicId('tenant', tenantId) }];
    const terms = { unpricedCost, maxCost: null, shrinkToFit: false, thinkingLevel: null };
    if (apiKeyId === null)
      return { tenantId, models: null, maxOutputTokens: null, defaultModel, defaultModelFrom: 'tenant', scopes, terms };
    const key = found('apiKey', await this.apiKeys.findInTenant(tenantId, apiKeyId), 'api_key');
    const project = await this.tenants.findProject(tenantId, key.projectId);
    return {
      tenantId,
      models: key.models.includes('*') ? null : new Set(key.models),
      maxOutputTokens: key.maxOutputTokens,
      terms: { unpricedCost, maxCost: key.maxCallNano, shrinkToFit: key.fit === 'shrink', thinkingLevel: key.thinkingLevel },
      scopes: [
        ...scopes,
        { kind: 'project', value: publicId('project', key.projectId) },
        { kind: 'api_key', value: publicId('apiKey', key.id) },
      ],
      defaultModel: key.defaultModel ?? project?.defaultModel ?? defaultModel,
      defaultModelFrom: key.defaultModel !== null ? 'api_key' : project?.defaultModel ? 'project' : 'tenant',
    };
  }
}
